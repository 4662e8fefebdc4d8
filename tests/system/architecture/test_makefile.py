"""`make help` lists every phony target."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_help_lists_each_target() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    shown = subprocess.run(["make", "--silent", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = {word for line in shown.splitlines() for word in line[:50].split()[1:]}
    assert listed == set(phony[1].split())
