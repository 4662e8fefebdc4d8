"""`make help` lists every phony target, and targets install only what they need."""

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


def test_only_targets_for_developers_install_the_developers_tools(tmp_path: Path) -> None:
    def planned(target: str) -> str:
        command = ["make", "--dry-run", "PYTHON=python3", f"VENV={tmp_path}/new", target]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    for target in ("demo", "serve"):
        assert "-r requirements.lock" in planned(target)
        assert "requirements-dev.lock" not in planned(target)
    assert "-r requirements-dev.lock" in planned("test-unit")
