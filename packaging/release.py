"""Makes a release of a clean checkout: changelog, version, wheel, sdist, SBOM, checksums, commit and tag.

Usage: python packaging/release.py VERSION [--packages [--authority FILE] [--mirror URL]]

With --packages, also the Debian packages, the image and its compose files, which needs the network and the tools of
packaging/deb.py and packaging/image.py. Nothing leaves this machine. A run that fails restores the files that it
changed and makes neither commit nor tag.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from checkout import ROOT, PackagingError, run
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

CHANGED = ("CHANGELOG.md", "pyproject.toml")
VERSION = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?"
)  # a semantic version (semver.org), without build metadata
UNRELEASED = re.compile(r"^## \[Unreleased\]\n+(?=\S)(?!## )", re.MULTILINE)
LOCKED = re.compile(r"^([\w.-]+)==([\w.]+)((?:[^\n]*\\\n)*.*)", re.MULTILINE)


def check(version: str) -> None:
    """Raises PackagingError unless a release of this version can be made from this checkout."""
    if not VERSION.fullmatch(version):
        raise PackagingError(f"VERSION must be a semantic version such as 1.2.0, not {version!r}")
    if changed := run("git", "status", "--porcelain"):
        raise PackagingError(f"the checkout has changes that are not committed:\n{changed}".rstrip())
    if run("git", "tag", "--list", f"v{version}"):
        raise PackagingError(f"the tag v{version} exists")
    if not UNRELEASED.search((ROOT / "CHANGELOG.md").read_text(encoding="utf-8")):
        raise PackagingError("CHANGELOG.md has no entries below [Unreleased]")


def write_version(version: str, day: str) -> None:
    """Moves the unreleased changelog entries below a heading for the version, and updates pyproject.toml."""
    changelog, project = (ROOT / name for name in CHANGED)
    heading = f"## [Unreleased]\n\n## [{version}] - {day}\n\n"
    changelog.write_text(UNRELEASED.sub(heading, changelog.read_text(encoding="utf-8"), count=1), encoding="utf-8")
    text, count = re.subn(
        r'(?m)^version = ".*"$', f'version = "{version}"', project.read_text(encoding="utf-8"), count=1
    )
    if count != 1:
        raise PackagingError("pyproject.toml has no version")
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


def build_packages(folder: Path, options: list[str]) -> None:
    """Builds the Debian packages and the image, and copies the compose files that refer to the image."""
    for program in ("deb.py", "image.py"):
        print(run(sys.executable, ROOT / "packaging" / program, "--output", folder, *options), end="")
    for file in (ROOT / "packaging" / "image").glob("compose*.yaml"):
        shutil.copy(file, folder)


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


def release(version: str, package_options: list[str] | None) -> Path:
    """Makes the release and returns the folder with its files. Builds packages if there are options for them."""
    check(version)
    start = run("git", "rev-parse", "HEAD").strip()
    now = datetime.now(UTC)
    folder = ROOT / "dist" / version
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        write_version(version, f"{now:%Y-%m-%d}")
        build(folder, int(now.timestamp()))
        if package_options is not None:
            build_packages(folder, package_options)
        write_sbom(folder / f"emailrouter-{version}.cdx.json", version)
        write_checksums(folder)
        run("git", "commit", "--quiet", "--message", f"Release {version}", "--", *CHANGED)
        run("git", "tag", "--annotate", f"v{version}", "--message", f"Email Router {version}")
    except BaseException:
        shutil.rmtree(folder)
        run("git", "reset", "--quiet", "--hard", start)  # the checkout had no other changes
        raise
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(prog="make release", usage="make release VERSION=1.2.0 [ARGS=--packages]")
    parser.add_argument("version")
    parser.add_argument("--packages", action="store_true", help="also build the Debian packages and the image")
    parser.add_argument("--authority", help="PEM file of the authority of a private Python registry")
    parser.add_argument("--mirror", help="URL of the Debian mirror")
    arguments = parser.parse_args()
    options = [f"--authority={arguments.authority}"] if arguments.authority else []
    options += [f"--mirror={arguments.mirror}"] if arguments.mirror else []
    folder = release(arguments.version, options if arguments.packages else None)
    if not arguments.packages:
        print("Without packages: ARGS=--packages adds the Debian packages and the image.")
    print(f"Wrote {folder.relative_to(ROOT)} and the tag v{arguments.version}. Next: git push --follow-tags")


if __name__ == "__main__":
    try:
        main()
    except PackagingError as error:
        sys.exit(f"release: {error}")
