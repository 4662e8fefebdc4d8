"""Generates the names of lease owners, and detects whether the process of an owner is dead.

Leases expire anyway; detection only shortens the wait after a crash, for processes on the same machine.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

_MACHINE_ID_FILES = ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid")


def _read_machine_id() -> str:
    """Returns a text that identifies the current boot of this machine and the PID namespace.

    Process ids can be compared only within the same boot and namespace.
    """
    parts = []
    for path in map(Path, _MACHINE_ID_FILES):
        try:
            parts.append(str(path.readlink()) if path.is_symlink() else path.read_text().strip())
        except OSError:  # not Linux: a random id, so owners of an earlier start never count as dead
            parts.append(secrets.token_hex(8))
    return "/".join(parts)


_MACHINE_ID = _read_machine_id()


def new_lease_owner() -> str:
    """Returns a name for this process. A random part distinguishes the process from earlier ones with the same id."""
    return f"{_MACHINE_ID} {os.getpid()} {secrets.token_hex(4)}"


def is_dead(owner: str) -> bool:
    """Returns whether the process of `owner` is certainly dead.

    Do not pass the current name of this process: an owner with the same process id counts as an earlier process.
    """
    machine, _, rest = owner.partition(" ")
    pid, _, _ = rest.partition(" ")
    if machine != _MACHINE_ID or not pid.isdigit():
        return False
    return int(pid) == os.getpid() or not Path(f"/proc/{pid}").exists()
