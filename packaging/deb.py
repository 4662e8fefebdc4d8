"""Builds the Debian packages: dist/emailrouter_VERSION-1~debN_ARCH.deb for each release.

Usage: python packaging/deb.py [--release bookworm] [--authority FILE] [--mirror URL] [--output FOLDER]

mmdebstrap makes a root of the release, with the Python of that release, and packaging/debian is built in it. lintian of
the same release then checks the package: a warning or an error fails. The root is deleted. Requires mmdebstrap, and the
network: Debian's packages and PyPI.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

from checkout import ROOT, PackagingError, commit_time, copy_files, find_tools, run, version

# The number of each release, and its default Python. The environment works only with this version.
RELEASES = {"bookworm": (12, "python3.11"), "trixie": (13, "python3.13")}
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
PACKAGES = "build-essential,debhelper,python3,python3-venv,ca-certificates,lintian"
# Settings of the host, such as those of pip, do not apply in the root.
ENVIRONMENT = "HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin"
# Runs in the root.
BUILD = """set -eu
cd /build/source
if [ -e /build/pip.conf ]; then export PIP_CONFIG_FILE=/build/pip.conf; fi
dpkg-buildpackage --build=binary --no-sign --no-pre-clean
mkdir /build/output
mv ../*.deb /build/output/
lintian --allow-root --fail-on error,warning /build/output/*.deb
"""


def debian_version(program: str, release: str, revision: int) -> str:
    """Returns the version of the package. A pre-release sorts before its release: 1.0.0-rc.1 becomes 1.0.0~rc.1."""
    return f"{program.replace('-', '~', 1)}-{revision}~deb{RELEASES[release][0]}"


def write_source(folder: Path, release: str, revision: int) -> None:
    """Writes the files of the checkout, with the folder `debian` that dpkg-buildpackage reads."""
    copy_files(folder)
    debian = folder / "debian"
    shutil.copytree(ROOT / "packaging" / "debian", debian)
    template = (debian / "control.in").read_text(encoding="utf-8")
    values = {"ARCHITECTURE": ARCHITECTURES.get(platform.machine(), "any"), "PYTHON": RELEASES[release][1]}
    (debian / "control").write_text(re.sub("@([A-Z]+)@", lambda name: values[name[1]], template), encoding="utf-8")
    (debian / "control.in").unlink()
    maintainer = re.search(r"^Maintainer: (.*)$", template, re.MULTILINE)
    if maintainer is None:
        raise PackagingError("packaging/debian/control.in has no maintainer")
    day = format_datetime(datetime.fromtimestamp(commit_time(), UTC))
    (debian / "changelog").write_text(
        f"emailrouter ({debian_version(version(), release, revision)}) {release}; urgency=medium\n\n"
        f"  * Email Router {version()}: see CHANGELOG.md.\n\n -- {maintainer[1]}  {day}\n",
        encoding="utf-8",
    )


def build(release: str, arguments: argparse.Namespace) -> Path:
    """Builds the package of a release and returns its path."""
    with tempfile.TemporaryDirectory(prefix="deb-") as name:
        folder, output = Path(name), Path(name) / "output"
        write_source(folder / "build" / "source", release, arguments.revision)
        (folder / "build" / "build.sh").write_text(BUILD, encoding="utf-8")
        if arguments.authority:
            shutil.copy(arguments.authority, folder / "build" / "authority.pem")
            (folder / "build" / "pip.conf").write_text("[global]\ncert = /build/authority.pem\n", encoding="utf-8")
        output.mkdir()
        folder.chmod(0o755)  # mmdebstrap may run as another user of a user namespace
        output.chmod(0o777)
        hooks = [
            'mkdir "$1/build"',
            f"sync-in {folder / 'build'} /build",
            f'env --ignore-environment {ENVIRONMENT} chroot "$1" sh /build/build.sh',
            f"sync-out /build/output {output}",
        ]
        command = ["mmdebstrap", "--variant=minbase", f"--include={PACKAGES}"]
        command += [f"--customize-hook={hook}" for hook in hooks]
        run(*command, release, "/dev/null", *([arguments.mirror] if arguments.mirror else []))
        (package,) = output.glob("*.deb")
        return Path(shutil.copy(package, arguments.output / package.name))


def main() -> None:
    parser = argparse.ArgumentParser(prog="make package")
    parser.add_argument("--release", action="append", choices=RELEASES, help="Debian release (default: all)")
    parser.add_argument("--revision", type=int, default=1, help="revision of the package (default: 1)")
    parser.add_argument("--mirror", help="URL of the Debian mirror")
    parser.add_argument("--authority", type=Path, help="PEM file of the authority of a private Python registry")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="folder of the packages (default: dist)")
    arguments = parser.parse_args()
    find_tools("mmdebstrap")
    arguments.output.mkdir(parents=True, exist_ok=True)
    os.umask(0o022)
    for release in arguments.release or RELEASES:
        print(build(release, arguments))


if __name__ == "__main__":
    try:
        main()
    except PackagingError as failure:
        sys.exit(f"package: {failure}")
