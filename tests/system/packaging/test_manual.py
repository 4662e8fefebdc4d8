"""The man page matches the help of the commands."""

import shutil
import subprocess

import pytest

from emailrouter import manual
from emailrouter.cli import MODULES


def test_page_is_up_to_date() -> None:
    assert manual.FILE.read_text(encoding="utf-8") == manual.render(), "run: python -m emailrouter.manual"


def test_page_contains_every_command() -> None:
    page = manual.render()
    for name in MODULES:
        assert f".SS {name}\n" in page


@pytest.mark.skipif(shutil.which("groff") is None, reason="this machine has no groff")
def test_page_is_valid_roff() -> None:
    formatted = subprocess.run(
        ["groff", "-man", "-ww", "-z", "-Tutf8", str(manual.FILE)], capture_output=True, text=True, check=False
    )
    assert (formatted.returncode, formatted.stderr) == (0, "")
