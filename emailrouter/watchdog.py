"""Notifications to systemd (sd_notify(3)), including the watchdog (sd_watchdog_enabled(3)).

Heartbeats stop if the event loop is blocked or a background task has ended. systemd then restarts the process, which
loses no mail.
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
    """Notifies systemd, or does nothing without a notify socket in `environ`."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        path = environ.get("NOTIFY_SOCKET", "")
        # "@" stands for the leading NUL of an abstract socket.
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self.watchdog_seconds = _watchdog_seconds(environ) if path else None

    def notify_ready(self) -> None:
        """Reports that the process is ready, or that a reload has ended."""
        self._send("READY=1\nSTATUS=")

    def notify_waiting(self, what: str) -> None:
        """Sets the status that `systemctl status` shows before the process is ready."""
        self._send(f"STATUS=waiting: {what}")

    def notify_reloading(self) -> None:
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def notify_stopping(self) -> None:
        self._send("STOPPING=1\nSTATUS=draining")

    def notify_alive(self) -> None:
        self._send("WATCHDOG=1")

    def _send(self, state: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.setblocking(False)  # systemd must not block the event loop
                channel.sendto(state.encode(), self._address)
        except OSError as error:
            log.warning("systemd.notify_failed", reason=str(error))


async def send_heartbeats(manager: SystemdNotifier, ended: Callable[[], str]) -> None:
    """Sends heartbeats at half the watchdog interval, until `ended` returns the name of an ended task."""
    if manager.watchdog_seconds is None:
        return
    while not (name := ended()):
        manager.notify_alive()
        await asyncio.sleep(manager.watchdog_seconds / 2)
    log.critical("watchdog.notifications_stopped", task=name, watchdog_seconds=manager.watchdog_seconds)


def _watchdog_seconds(environ: Mapping[str, str]) -> float | None:
    """Returns WatchdogSec of the unit in seconds; None if it is not set or is meant for another process."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1_000_000 if microseconds.isdecimal() and int(microseconds) > 0 else None
