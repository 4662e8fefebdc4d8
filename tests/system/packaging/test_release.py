"""`make release` creates the files, changelog entry, commit and tag. A failed release changes nothing."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.system.architecture.test_house import ROOT, tracked

IDENTITY = ("-c", "user.name=Release", "-c", "user.email=release@example.org")


def git(checkout: Path, *arguments: str) -> str:
    command = ["git", *IDENTITY, *arguments]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True).stdout


def run_release(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(checkout / "packaging" / "release.py"), *arguments]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    checkout = tmp_path_factory.mktemp("release") / "source"
    for path in tracked():
        target = checkout / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    git(checkout, "init", "--quiet", "--initial-branch=main")
    git(checkout, "config", "user.name", "Release")
    git(checkout, "config", "user.email", "release@example.org")
    git(checkout, "add", "--all")
    git(checkout, "commit", "--quiet", "--message", "Files of a checkout")
    return checkout


@pytest.fixture
def checkout(source: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "checkout"
    shutil.copytree(source, copy)
    return copy


def test_release_contents(checkout: Path) -> None:
    before = (checkout / "CHANGELOG.md").read_text()
    done = run_release(checkout, "7.8.9")
    assert done.returncode == 0, done.stderr

    files = {path.name: path.read_bytes() for path in (checkout / "dist" / "7.8.9").iterdir()}
    wheel, sdist, sbom = "emailrouter-7.8.9-py3-none-any.whl", "emailrouter-7.8.9.tar.gz", "emailrouter-7.8.9.cdx.json"
    assert files.keys() == {wheel, sdist, sbom, "SHA256SUMS"}
    sums = dict(line.split("  ")[::-1] for line in files["SHA256SUMS"].decode().splitlines())
    assert sums == {name: hashlib.sha256(files[name]).hexdigest() for name in (wheel, sdist, sbom)}

    locked = set(re.findall(r"^([\w.-]+==[\w.]+)", (checkout / "requirements.lock").read_text(), re.MULTILINE))
    document = json.loads(files[sbom])
    assert {f"{each['name']}=={each['version']}" for each in document["components"]} == locked
    assert all(each["hashes"] and each["purl"].startswith("pkg:pypi/") for each in document["components"])
    assert document["metadata"]["component"]["version"] == "7.8.9"

    with tarfile.open(checkout / "dist" / "7.8.9" / sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "CHANGELOG.md", "requirements.lock", "Makefile"} <= names

    assert git(checkout, "status", "--porcelain") == ""
    assert git(checkout, "describe", "--exact-match").strip() == "v7.8.9"
    after = (checkout / "CHANGELOG.md").read_text()
    assert re.search(r"^## \[Unreleased\]\n\n## \[7\.8\.9\] - \d{4}-\d\d-\d\d\n\n### ", after, re.MULTILINE)
    assert after.replace(re.findall(r"## \[7\.8\.9\].*\n\n", after)[0], "") == before
    assert 'version = "7.8.9"' in (checkout / "pyproject.toml").read_text()

    again = run_release(checkout, "7.8.10")
    assert again.returncode == 1
    assert "no entries below [Unreleased]" in again.stderr


@pytest.mark.parametrize(
    ("version", "prepare", "reason"),
    [
        ("1.2", None, "VERSION must be a semantic version such as 1.2.0, not '1.2'"),
        ("2.0.0", "change", "the checkout has changes that are not committed"),
        ("2.0.0", "tag", "the tag v2.0.0 exists"),
    ],
)
def test_rejected_release_changes_nothing(checkout: Path, version: str, prepare: str | None, reason: str) -> None:
    if prepare == "change":
        (checkout / "README.md").write_text("changed\n")
    elif prepare == "tag":
        git(checkout, "tag", "v2.0.0")
    before = git(checkout, "status", "--porcelain"), git(checkout, "rev-parse", "HEAD")
    done = run_release(checkout, version)
    assert done.returncode == 1
    assert done.stderr.startswith(f"release: {reason}")
    assert (git(checkout, "status", "--porcelain"), git(checkout, "rev-parse", "HEAD")) == before


def test_failed_build_restores_the_checkout(checkout: Path) -> None:
    (checkout / "README.md").unlink()
    git(checkout, "commit", "--quiet", "--all", "--message", "Remove the readme that the wheel needs")
    done = run_release(checkout, "3.0.0")
    assert done.returncode == 1
    assert "failed:" in done.stderr
    assert git(checkout, "status", "--porcelain") == ""
    assert git(checkout, "tag", "--list") == ""
    assert not (checkout / "dist" / "3.0.0").exists()


def test_failed_tag_removes_the_commit(checkout: Path) -> None:
    git(checkout, "config", "tag.gpgSign", "true")
    git(checkout, "config", "gpg.program", "false")
    before = git(checkout, "rev-parse", "HEAD")
    done = run_release(checkout, "3.0.0")
    assert done.returncode == 1
    assert "git tag" in done.stderr
    assert git(checkout, "rev-parse", "HEAD") == before
    assert git(checkout, "status", "--porcelain") == ""
    assert not (checkout / "dist" / "3.0.0").exists()
