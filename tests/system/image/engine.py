"""podman and podman-compose under the names of Docker, with their own storage, in their own network namespace.

Everything is below one folder, and `Engine` removes it at the end: containers, volumes and images of the host are
neither seen nor changed.
"""

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from tests.system.debian.machine import Failed

TIMEOUT_SECONDS = 1800.0  # a build on a busy machine
SERVICE = "emailrouter_emailrouter_1"  # the name that podman-compose gives to the container of the program

_STORAGE = """[storage]
driver = "vfs"
graphroot = "{folder}/graph"
runroot = "{folder}/run"
"""
# runc and cgroupfs also work where systemd does not run. The limits are below those of unprivileged machines.
_CONTAINERS = """[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
tmp_dir = "{folder}/libpod"
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
"""
_DOCKER = """#!/bin/sh
# `docker compose` needs no terminal here, and every command uses the compose file of the walk too.
if [ "$1" != compose ]; then exec podman "$@"; fi
shift
COMPOSE_FILE=compose.yaml
. ./.env
export COMPOSE_FILE="$COMPOSE_FILE:compose.walk.yaml"
if [ "$1" = exec ]; then shift; set -- exec -T "$@"; fi
exec podman-compose "$@"
"""


class Engine:
    """A context manager. `work` is the folder in which the reader's commands run."""

    def __init__(self, folder: Path) -> None:
        self.work = folder / "work"
        self._folder = folder
        for name in ("work", "bin"):
            (folder / name).mkdir(exist_ok=True)
        (folder / "storage.conf").write_text(_STORAGE.format(folder=folder))
        (folder / "containers.conf").write_text(_CONTAINERS.format(folder=folder))
        docker = folder / "bin" / "docker"
        docker.write_text(_DOCKER)
        docker.chmod(0o755)
        self.environment = os.environ | {
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "BUILDAH_ISOLATION": "chroot",
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        }
        self._closed = threading.Event()
        self._health = threading.Thread(target=self._run_health_checks, daemon=True)

    def __enter__(self) -> Self:
        self._health.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._health.join()
        # One call removes only the containers on which no other depends.
        wait_until(self._remove_containers, "the end of all containers")
        self.run("podman volume rm --force --all && podman rmi --force --all")

    def run(self, script: str, *, typed: str = "", check: bool = True) -> str:
        """Runs a script in `work` and returns its output. Raises `Failed` for an exit code other than 0.

        Args:
            typed: The standard input.
        """
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.work,
            env=self.environment,
            input=typed,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        if check and done.returncode != 0:
            raise Failed(f"{script}\nexit code {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def _remove_containers(self) -> bool:
        self.run("podman rm --force --all --time 5", check=False)
        return not self.run("podman ps --all --quiet")

    def inspect(self, container: str = SERVICE) -> dict[str, Any]:
        found: list[dict[str, Any]] = json.loads(self.run(f"podman inspect {container}"))
        return found[0]

    def health(self, container: str = SERVICE) -> str:
        return self.run(f"podman inspect --format '{{{{.State.Health.Status}}}}' {container}", check=False).strip()

    def _run_health_checks(self) -> None:
        """Runs the health checks, which podman leaves to timers of systemd."""
        while not self._closed.wait(1.0):
            for container in self.run("podman ps --quiet", check=False).split():
                self.run(f"podman healthcheck run {container}", check=False)


def wait_until(done: Callable[[], bool], what: str, timeout_seconds: float = 90.0) -> None:
    end = time.monotonic() + timeout_seconds
    while not done():
        if time.monotonic() > end:
            raise Failed(f"{what} was not reached within {timeout_seconds:.0f} s")
        time.sleep(0.2)


def remove(folder: Path) -> None:
    """Removes the folder. Raises if a mount is left below it."""
    if left := [
        line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(folder) in line
    ]:
        raise Failed(f"mounts are left: {left}")
    shutil.rmtree(folder)
