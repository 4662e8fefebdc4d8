"""vulture finds no unused name, and every entry of its `ignore_names` is needed."""

import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

ROOT = Path(__file__).parents[3]
CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["vulture"]
PRODUCT: list[str] = CONFIGURATION["paths"]


def unused(*arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "vulture", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 3), done.stderr  # exit code 3: unused names
    return re.findall(r"unused \w+ '(.+)' \(", done.stdout)


def test_unused_name_is_found(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("ORPHAN_LIMIT = 3\n\n\ndef orphan(): ...\n\n\nclass Orphan:\n    def orphan_method(self): ...\n")
    assert set(unused(str(module))) == {"ORPHAN_LIMIT", "orphan", "Orphan", "orphan_method"}


def test_product_name_used_only_in_tests_is_dead() -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert packages["packages"] == PRODUCT


def test_each_exception_is_needed() -> None:
    found = {*unused("--ignore-names", ","), *unused("--ignore-names", ",", *PRODUCT, "tests", "bench")}
    patterns: list[str] = CONFIGURATION["ignore_names"]
    assert [pattern for pattern in patterns if not any(fnmatchcase(name, pattern) for name in found)] == []
