"""The checkout that packages are made from: its version and its files. Runs commands in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


class PackagingError(Exception):
    """A package cannot be made; the text is the reason."""


def run(*command: str | Path, **environment: str) -> str:
    """Runs a command in the checkout and returns its output. Raises PackagingError if it fails."""
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise PackagingError(f"{command[0]} is not installed") from None
    if done.returncode != 0:
        raise PackagingError(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout


def version() -> str:
    """Returns the version of the program."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


def commit_time() -> int:
    """Returns the time of the last commit in seconds since the epoch, or 0 outside of a Git checkout (an sdist)."""
    if not (ROOT / ".git").exists():
        return 0
    return int(run("git", "log", "-1", "--format=%ct"))


def copy_files(target: Path) -> None:
    """Copies the files of the checkout that Git does not ignore, or all files of an sdist, to a new folder."""
    if not (ROOT / ".git").exists():
        shutil.copytree(ROOT, target, ignore=shutil.ignore_patterns(".venv*", "dist", "__pycache__"))
        return
    names = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").rstrip("\0").split("\0")
    for path in map(Path, names):
        if (ROOT / path).is_file():
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, target / path)


def find_tools(*names: str) -> None:
    """Raises PackagingError if a program is not installed."""
    if missing := [name for name in names if shutil.which(name) is None]:
        raise PackagingError(f"not installed: {', '.join(missing)}")
