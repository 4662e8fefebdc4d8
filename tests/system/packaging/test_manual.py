"""The man page is what the command line says of itself, and man understands it."""

import shutil
import subprocess

import pytest

from emailrouter import manual
from emailrouter.cli import MODULES


def test_the_page_is_up_to_date() -> None:
    assert manual.FILE.read_text(encoding="utf-8") == manual.render(), "run: python -m emailrouter.manual"


def test_every_command_is_in_it() -> None:
    page = manual.render()
    for name in MODULES:
        assert f".SS {name}\n" in page


@pytest.mark.skipif(shutil.which("groff") is None, reason="this machine has no groff")
def test_roff_has_nothing_to_say_against_it() -> None:
    formatted = subprocess.run(
        ["groff", "-man", "-ww", "-z", "-Tutf8", str(manual.FILE)], capture_output=True, text=True, check=False
    )
    assert (formatted.returncode, formatted.stderr) == (0, "")
