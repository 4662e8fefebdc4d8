"""Minimum versions are the locked versions, lock files agree, and installations of dependencies verify hashes."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKED = dict(re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / "requirements-dev.lock").read_text(), re.MULTILINE))
REQUIREMENTS = [
    Requirement(text)
    for text in (
        *PROJECT["build-system"]["requires"],
        *PROJECT["project"]["dependencies"],
        *PROJECT["project"]["optional-dependencies"]["dev"],
    )
]


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda requirement: requirement.name)
def test_minimum_version_is_the_locked_version(requirement: Requirement) -> None:
    floors = [each.version for each in requirement.specifier if each.operator == ">="]
    assert floors == [LOCKED[requirement.name]]


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-build.lock"])
def test_lock_files_agree_and_have_hashes(name: str) -> None:
    text = (ROOT / name).read_text()
    entries = re.findall(r"^([\w.-]+)==([\w.]+)[^\n]*\\\n    --hash=sha256:", text, re.MULTILINE)
    assert len(entries) == len(re.findall(r"^\w", text, re.MULTILINE)) > 0
    assert {entry for entry in entries if LOCKED[entry[0]] != entry[1]} == set()


@pytest.mark.parametrize("name", ["docs/install-source.md", "docs/upgrade.md", "Makefile"])
def test_installs_require_hashes(name: str) -> None:
    commands = re.findall(r"pip install\b.*", (ROOT / name).read_text())
    assert commands
    assert all("--require-hashes" in each or "--no-deps --no-build-isolation" in each for each in commands)
