"""Tells deliver processes over the same SQLite file that something is due, by datagrams on Unix sockets.

What `signals` is on PostgreSQL, this is on one host: each deliver process binds a socket beside the database file,
named for its process; whoever writes sends the ids to all of them. A signal is a hint: it may be lost, and then the
deliverer's own look (every half second) finds the work. So nothing here waits, and nothing here fails an accept.
"""

from __future__ import annotations

import asyncio
import contextlib
import glob
import os
import socket
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import structlog

# How long a list of the sockets holds: a deliverer that has just begun looks by itself anyway.
FRESH_SECONDS = 1.0
# Ids in a datagram; the kernel takes much more, and the rest is found by looking.
IDS_IN_A_SIGNAL = 200
OCTETS = 64 * 1024

log = structlog.get_logger()


def _own_path(database: Path) -> Path:
    return database.absolute().with_name(f"{database.name}-wake.{os.getpid()}")


def _pattern(database: Path) -> str:
    return f"{glob.escape(database.name)}-wake.*"


class Neighbours:
    """The `Wake` of a process that delivers nothing itself, over the SQLite file at `database`."""

    def __init__(self, database: Path) -> None:
        self._database = database.absolute()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._known: list[Path] = []
        self._fresh_until = 0.0

    def wake(self, integration_ids: Iterable[str]) -> None:
        """See `router.ports.Wake`."""
        ids = list(integration_ids)
        if not ids:
            return
        if time.monotonic() >= self._fresh_until:
            self._known = list(self._database.parent.glob(_pattern(self._database)))
            self._fresh_until = time.monotonic() + FRESH_SECONDS
        for path in self._known:
            self._send(path, ",".join(ids[:IDS_IN_A_SIGNAL]).encode())

    def _send(self, path: Path, octets: bytes) -> None:
        try:
            self._socket.sendto(octets, str(path))
        except ConnectionRefusedError:
            # Nobody has it open any more, and nobody will: a new process binds a name of its own.
            with contextlib.suppress(OSError):
                path.unlink()
        except OSError as error:  # its queue is full, or it has just ended
            log.debug("signal.lost", reason=str(error))

    def close(self) -> None:
        """Lets the socket go."""
        self._socket.close()


async def listen(database: Path, wake: Callable[[Iterable[str]], None]) -> None:
    """Calls `wake` for each signal, until cancelled. Where no socket can be, it says so and leaves it to looking."""
    path = _own_path(database)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox:
        inbox.setblocking(False)
        try:
            path.unlink(missing_ok=True)  # of an earlier process with our number
            inbox.bind(str(path))
            path.chmod(0o600)
        except OSError as error:  # a path that is too long for a socket, or a file system that has none
            log.debug("signal.not_listening", reason=f"{path}: {error}")
            await asyncio.Event().wait()
        try:
            loop = asyncio.get_running_loop()
            while True:
                octets = await loop.sock_recv(inbox, OCTETS)
                wake(octets.decode("ascii", "ignore").split(","))
        finally:
            path.unlink(missing_ok=True)
