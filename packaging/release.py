"""Makes a release of a clean checkout: changelog, version, wheel, sdist, SBOM, checksums, commit and tag.

Usage: python packaging/release.py VERSION

Nothing leaves this machine. A run that fails restores the files that it changed and makes neither commit nor tag.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

ROOT = Path(__file__).resolve().parents[1]
CHANGED = ("CHANGELOG.md", "pyproject.toml")
VERSION = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?"
)  # a semantic version (semver.org), without build metadata
UNRELEASED = re.compile(r"^## \[Unreleased\]\n+(?=\S)(?!## )", re.MULTILINE)
LOCKED = re.compile(r"^([\w.-]+)==([\w.]+)((?:[^\n]*\\\n)*.*)", re.MULTILINE)


class ReleaseError(Exception):
    """The release cannot be made; the text is the reason."""


def run(*command: str, **environment: str) -> str:
    """Runs a command in the checkout and returns its output. Raises ReleaseError if it fails."""
    done = subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ReleaseError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout


def check(version: str) -> None:
    """Raises ReleaseError unless a release of this version can be made from this checkout."""
    if not VERSION.fullmatch(version):
        raise ReleaseError(f"VERSION must be a semantic version such as 1.2.0, not {version!r}")
    if changed := run("git", "status", "--porcelain"):
        raise ReleaseError(f"the checkout has changes that are not committed:\n{changed}".rstrip())
    if run("git", "tag", "--list", f"v{version}"):
        raise ReleaseError(f"the tag v{version} exists")
    if not UNRELEASED.search((ROOT / "CHANGELOG.md").read_text(encoding="utf-8")):
        raise ReleaseError("CHANGELOG.md has no entries below [Unreleased]")


def write_version(version: str, day: str) -> None:
    """Moves the unreleased changelog entries below a heading for the version, and updates pyproject.toml."""
    changelog, project = (ROOT / name for name in CHANGED)
    heading = f"## [Unreleased]\n\n## [{version}] - {day}\n\n"
    changelog.write_text(UNRELEASED.sub(heading, changelog.read_text(encoding="utf-8"), count=1), encoding="utf-8")
    text, count = re.subn(
        r'(?m)^version = ".*"$', f'version = "{version}"', project.read_text(encoding="utf-8"), count=1
    )
    if count != 1:
        raise ReleaseError("pyproject.toml has no version")
    project.write_text(text, encoding="utf-8")


def build(folder: Path, epoch: int) -> None:
    """Builds the wheel and the sdist. `epoch` is the modification time of every file in them."""
    for kind in ("wheel", "sdist"):
        call = f"import sys; from hatchling.build import build_{kind}; build_{kind}(sys.argv[1])"
        run(sys.executable, "-c", call, str(folder), SOURCE_DATE_EPOCH=str(epoch))


def components() -> Iterator[Component]:
    """Yields the packages of requirements.lock, with the hashes of the files that pip accepts."""
    for name, version, rest in LOCKED.findall((ROOT / "requirements.lock").read_text(encoding="utf-8")):
        hashes = [
            HashType(alg=HashAlgorithm.SHA_256, content=each) for each in re.findall(r"sha256:([0-9a-f]{64})", rest)
        ]
        purl = PackageURL("pypi", None, name, version)
        yield Component(
            name=name, version=version, type=ComponentType.LIBRARY, purl=purl, bom_ref=str(purl), hashes=hashes
        )


def write_sbom(path: Path, version: str) -> None:
    """Writes a CycloneDX 1.6 document that lists the dependencies."""
    program = Component(
        name="emailrouter", version=version, type=ComponentType.APPLICATION, bom_ref=f"emailrouter@{version}"
    )
    bom = Bom(components=components())
    bom.metadata.component = program
    bom.register_dependency(program, bom.components)
    path.write_text(JsonV1Dot6(bom).output_as_string(indent=2) + "\n", encoding="utf-8")


def write_checksums(folder: Path) -> None:
    """Writes SHA256SUMS in the format of sha256sum(1)."""
    files = sorted(folder.iterdir())
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def release(version: str) -> Path:
    """Makes the release and returns the folder with its files."""
    check(version)
    start = run("git", "rev-parse", "HEAD").strip()
    now = datetime.now(UTC)
    folder = ROOT / "dist" / version
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        write_version(version, f"{now:%Y-%m-%d}")
        build(folder, int(now.timestamp()))
        write_sbom(folder / f"emailrouter-{version}.cdx.json", version)
        write_checksums(folder)
        run("git", "commit", "--quiet", "--message", f"Release {version}", "--", *CHANGED)
        run("git", "tag", "--annotate", f"v{version}", "--message", f"Email Router {version}")
    except BaseException:
        shutil.rmtree(folder)
        run("git", "reset", "--quiet", "--hard", start)  # the checkout had no other changes
        raise
    return folder


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make release VERSION=1.2.0")
    try:
        print(
            f"Wrote {release(sys.argv[1]).relative_to(ROOT)} and the tag v{sys.argv[1]}. Next: git push --follow-tags"
        )
    except ReleaseError as error:
        sys.exit(f"release: {error}")
