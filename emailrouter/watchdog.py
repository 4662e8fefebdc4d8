"""What systemd is told (sd_notify(3)), and when it is not told any more: the watchdog.

`Manager` speaks to the service manager that the environment names, and to nobody where there is none. `beat` says
"alive" at half the interval that systemd gave (sd_watchdog_enabled(3)), from the event loop itself: a loop that does
not turn says nothing, and neither does one whose background parts have ended. Then systemd kills and starts the
process anew, which loses nothing. Who calls it: `emailrouter.lifecycle`.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Mapping

import structlog

log = structlog.get_logger()


class SystemdNotifier:
    """environ: where `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` are."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        path = environ.get("NOTIFY_SOCKET", "")
        # "@" stands for the NUL that abstract sockets begin with.
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self.watchdog_seconds = _watchdog_seconds(environ) if path else None

    def notify_ready(self) -> None:
        """The process serves; also the end of a reload."""
        self._send("READY=1\nSTATUS=")

    def notify_waiting(self, what: str) -> None:
        """Not ready yet, and why; shown by `systemctl status`."""
        self._send(f"STATUS=waiting: {what}")

    def notify_reloading(self) -> None:
        """A reload has begun; `ready` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def notify_stopping(self) -> None:
        """The drain has begun."""
        self._send("STOPPING=1\nSTATUS=draining")

    def notify_alive(self) -> None:
        """The watchdog's beat."""
        self._send("WATCHDOG=1")

    def _send(self, state: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.setblocking(False)  # a manager that does not read must not stop the loop
                channel.sendto(state.encode(), self._address)
        except OSError as error:  # also when no descriptor is left for the socket
            log.warning("systemd.notify_failed", reason=str(error))


async def send_heartbeats(manager: SystemdNotifier, ended: Callable[[], str]) -> None:
    """Until cancelled. ended: the name of a background part that has ended, "" while all of them live."""
    if manager.watchdog_seconds is None:
        return
    while not (name := ended()):
        manager.notify_alive()
        await asyncio.sleep(manager.watchdog_seconds / 2)
    log.critical("watchdog.notifications_stopped", task=name, watchdog_seconds=manager.watchdog_seconds)


def _watchdog_seconds(environ: Mapping[str, str]) -> float | None:
    """The interval of the unit's WatchdogSec; None where there is none, or it is meant for another process."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1_000_000 if microseconds.isdecimal() and int(microseconds) > 0 else None
