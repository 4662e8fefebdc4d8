"""Runs the command blocks of docs/install-image.md with podman in the place of Docker, and tests the image.

The walk covers the demo, the first ticket, a kill and an upgrade while mail arrives, a stop, the volume, and both
compose files. It counts the connections that an upgrade refuses.

    python -m tests.system.image.walk [--mirror URL] [--authority FILE]

Requires root, mmdebstrap, podman, runc, and podman-compose 1.6 (PyPI). The image is built with the network of the host;
the walk itself runs in a network namespace with only a loopback interface.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from tests.system.debian.machine import Failed
from tests.system.debian.page_walk import print_line
from tests.system.image import postgres_image
from tests.system.image.engine import Engine, remove
from tests.system.image.trial import ImageWalk

CHECKOUT = Path(__file__).resolve().parents[3]
NAME = "localhost/emailrouter"
LOCAL_BASE = "localhost/emailrouter-base:trixie"
NEXT_VERSION = "99.0.0"
PODMAN_COMPOSE = (1, 6)  # 1.0 of Debian 12 does not start a service with the network of the host


def build_images(engine: Engine, folder: Path, arguments: argparse.Namespace) -> None:
    """Builds the image with `make image`'s program, a newer version of it, and the stand-in for PostgreSQL's."""
    options = ["--tool=podman", "--local-base", f"--output={engine.work}"]
    options += [f"--mirror={arguments.mirror}"] if arguments.mirror else []
    options += [f"--authority={arguments.authority.resolve()}"] if arguments.authority else []
    engine.run(f"{sys.executable} {CHECKOUT / 'packaging' / 'image.py'} {' '.join(options)}")
    postgres_image.build(engine, LOCAL_BASE, folder)
    newer = folder / "newer"
    newer.mkdir()
    (newer / "Dockerfile").write_text(
        f"FROM {NAME}:{version()}\nLABEL org.opencontainers.image.version={NEXT_VERSION}\n"
    )
    engine.run(f"podman build --format=docker --layers=false --tag={NAME}:{NEXT_VERSION} {newer}")
    engine.run(f"podman rmi {NAME}:{version()}")  # `docker load` brings it back
    for file in (CHECKOUT / "packaging" / "image").glob("compose*.yaml"):
        shutil.copy(file, engine.work)


def version() -> str:
    return str(tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["version"])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.system.image.walk")
    parser.add_argument("--mirror", help="URL of the Debian mirror")
    parser.add_argument("--authority", type=Path, help="PEM file of the authority of a private Python registry")
    parser.add_argument("--built", type=Path, help=argparse.SUPPRESS)  # the second part, in its own namespaces
    arguments = parser.parse_args()
    if arguments.built:
        with Engine(arguments.built) as engine:
            try:
                ImageWalk(engine, version(), NEXT_VERSION).run()
            except Failed as failed:
                print_line(f"failed: {failed}")
                return 1
        return 0
    required = ("mmdebstrap", "podman", "podman-compose", "runc", "unshare", "ip")
    missing = [name for name in required if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        parser.error(f"requires root{''.join(f', {name}' for name in missing)}")
    compose = subprocess.run(["podman-compose", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"version +(\d+)\.(\d+)", compose)
    if found is None or (int(found[1]), int(found[2])) < PODMAN_COMPOSE:
        parser.error(f"requires podman-compose {'.'.join(map(str, PODMAN_COMPOSE))} (PyPI), found: {compose.strip()}")
    folder = Path(tempfile.mkdtemp(prefix="image-walk-"))
    try:
        build_images(Engine(folder), folder, arguments)
        second = f'ip link set lo up && exec "$0" -m tests.system.image.walk --built {folder}'
        code = subprocess.run(
            ["unshare", "--net", "--mount", "sh", "-c", second, sys.executable], check=False
        ).returncode
    except Failed as failed:
        print_line(f"failed: {failed}")
        code = 1
    finally:
        remove(folder)
    print_line("failed" if code else "succeeded")
    return code


if __name__ == "__main__":
    sys.exit(main())
