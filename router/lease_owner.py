"""The name a deliver process has in leases, and whether the process behind a name is surely dead.

A lease ends by itself; this only shortens the wait after a crash, for processes of one machine. When in doubt a
process is taken for alive.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

_MACHINE_ID_FILES = ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid")


def _read_machine_id() -> str:
    """This boot of this machine and this process namespace: within it a process id says who is alive."""
    parts = []
    for path in map(Path, _MACHINE_ID_FILES):
        try:
            parts.append(str(path.readlink()) if path.is_symlink() else path.read_text().strip())
        except OSError:  # not Linux: a name that nobody else has, so that nobody is ever taken for dead
            parts.append(secrets.token_hex(8))
    return "/".join(parts)


_MACHINE_ID = _read_machine_id()


def new_lease_owner() -> str:
    """A name for this process: machine, process id, and a random part, for process ids are used again."""
    return f"{_MACHINE_ID} {os.getpid()} {secrets.token_hex(4)}"


def is_dead(owner: str) -> bool:
    """Whether `owner`, which is not the caller's own name, surely lives no more."""
    machine, _, rest = owner.partition(" ")
    pid, _, _ = rest.partition(" ")
    if machine != _MACHINE_ID or not pid.isdigit():
        return False
    return int(pid) == os.getpid() or not Path(f"/proc/{pid}").exists()
