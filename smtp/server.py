"""The SMTP server: its sessions, its certificate, and how it stops.

Promise: what was answered `250` is committed before, so stopping loses nothing; `drain` lets running mails end and
tells the others to come again. Never decides anything about a mail. Who makes it: `emailrouter.assembly`; who starts,
reloads and drains it: `emailrouter.lifecycle`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from datetime import timedelta

import structlog

from config.schema import Smtp
from router import sockets
from router.clock import Clock
from router.meter import UNMETERED, Meter
from router.ports import Acceptor, Recipients
from router.side_tasks import SideTasks
from smtp import replies
from smtp.dnsbl import BlockLists, Resolver
from smtp.in_flight import InFlight
from smtp.limits import SHORT_COMMAND_TIMEOUT, AddressSet, Limits
from smtp.listeners import Listeners
from smtp.policy import BlockedSenders
from smtp.protocol import SMTP
from smtp.session import Door
from smtp.stream import Phase
from smtp.tls import TlsFiles

_log = structlog.get_logger()

_SWEEP = 1.0  # seconds between two looks at all deadlines
_FORGET = 60.0  # seconds between two looks at counters of addresses that are gone
_COMMIT_PATIENCE = 10.0  # seconds past the grace that commits have which are being written


class Server:
    """The SMTP door of one process.

    settings: `[smtp]` of the configuration. hostname: what we call ourselves. resolver: see `smtp.dnsbl.Resolver`,
    for the block lists; without one none is asked. environ: where systemd says what sockets it passes. reuse_port: let
    several processes of one host listen on the same port.
    """

    def __init__(
        self,
        settings: Smtp,
        hostname: str,
        recipients: Recipients,
        acceptor: Acceptor,
        clock: Clock,
        *,
        resolver: Resolver | None = None,
        environ: Mapping[str, str] = os.environ,
        reuse_port: bool = False,
        meter: Meter = UNMETERED,
        side_tasks: SideTasks | None = None,
    ) -> None:
        side_tasks = side_tasks or SideTasks()
        self._settings = settings
        self._environ = environ
        self._reuse_port = reuse_port
        self._limits = Limits(
            connections=settings.max_connections,
            per_address=settings.max_connections_per_ip,
            mails_per_minute=settings.max_mails_per_minute_per_ip,
            trusted=AddressSet(settings.trusted_networks),
        )
        self._door = Door(
            settings=settings,
            hostname=hostname,
            recipients=recipients,
            acceptor=acceptor,
            clock=clock,
            limits=self._limits,
            in_flight=InFlight(settings.max_bytes_in_flight, largest=settings.max_message_bytes),
            blocked=BlockedSenders(settings.blocked_senders),
            block_lists=BlockLists(settings.dnsbl, resolver) if settings.dnsbl and resolver is not None else None,
            meter=side_tasks.meter(meter),
            side_tasks=side_tasks,
        )
        self._tls: TlsFiles | None = None
        self._listeners = Listeners(self._connection)
        # In the order they came: of those that have waited for room too long, the one that came first is put off first.
        self._connections: dict[SMTP, None] = {}
        self._draining = False
        self._quiet = asyncio.Event()  # no connection is open
        self._quiet.set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._forget_at = 0.0

    @property
    def addresses(self) -> list[str]:
        """Where it listens, see `Listeners`; empty before `start` and after `drain`."""
        return self._listeners.addresses

    @property
    def connections(self) -> int:
        """Open now."""
        return len(self._connections)

    @property
    def certificate_expires_at(self) -> float | None:
        """Unix seconds until when the certificate of STARTTLS is valid; None where nobody can say."""
        return None if self._tls is None else self._tls.expires_at

    async def start(self) -> None:
        """Listen. Raises OSError (address) or `ConfigError` (certificate) when one cannot be used; nothing listens."""
        settings = self._settings
        if settings.tls_cert is not None and settings.tls_key is not None:
            self._tls = TlsFiles(settings.tls_cert, settings.tls_key)
        try:
            if settings.listen == "systemd":
                for sock in sockets.passed("smtp", self._environ):
                    await self._listeners.listen_on(sock)
            else:
                for address in settings.listen:
                    await self._listeners.listen(address.host, address.port, reuse_port=self._reuse_port)
        except OSError:
            self._listeners.close()
            raise
        self._sweep(asyncio.get_running_loop())
        _log.info("smtp.listening", addresses=self.addresses, tls=self._tls is not None)

    def reload(self) -> None:
        """Read the certificate again, changed or not."""
        if self._tls is not None:
            self._tls.reload()

    async def drain(self, grace: timedelta) -> None:
        """Stop: no new connections, idle ones get 421 now, running mails end, or get 421 when `grace` is over.

        Returns when no connection is left. A commit that is being written when the grace is over has some seconds more.
        """
        self._listeners.close()
        self._draining = True
        for connection in list(self._connections):
            connection.draining = True
            if connection.phase is Phase.COMMAND and not connection.in_transaction:
                connection.end(replies.SHUTTING_DOWN)
        if not await self._all_gone(grace.total_seconds()):
            for connection in list(self._connections):
                connection.cut_off = True
                if connection.phase is not Phase.BUSY:
                    connection.end(replies.SHUTTING_DOWN)
            if not await self._all_gone(_COMMIT_PATIENCE):
                _log.warning("smtp.cut_off", connections=len(self._connections))
                for connection in list(self._connections):
                    connection.end(replies.SHUTTING_DOWN)
        if self._sweeper is not None:
            self._sweeper.cancel()

    # What a connection tells (`smtp.protocol.Registry`).

    def opened(self, connection: SMTP) -> None:
        """Count it in."""
        connection.draining = self._draining  # the kernel may have taken it before the listeners closed
        self._door.meter.connected()
        self._limits.open()
        self._connections[connection] = None
        self._quiet.clear()

    def closed(self, connection: SMTP) -> None:
        """Count it out."""
        self._limits.close()
        del self._connections[connection]
        if not self._connections:
            self._quiet.set()

    # Inside.

    def _connection(self) -> SMTP:
        return SMTP(self._door, self, self._tls, asyncio.get_running_loop())

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look at the deadlines of all connections: one timer for a server instead of one for each command."""
        now = loop.time()
        settings = self._settings
        timeout = self._command_timeout()
        for connection in list(self._connections):
            connection.check(now, timeout)
        if now >= self._forget_at:
            self._forget_at = now + _FORGET
            self._limits.forget(self._door.clock.monotonic())
        shortest = min(settings.command_timeout, settings.data_timeout).total_seconds()
        self._sweeper = loop.call_later(min(_SWEEP, shortest / 4), self._sweep, loop)

    def _command_timeout(self) -> float:
        """Seconds that a peer may be silent now."""
        timeout = self._settings.command_timeout.total_seconds()
        return min(timeout, SHORT_COMMAND_TIMEOUT) if self._limits.pressed else timeout

    async def _all_gone(self, patience: float) -> bool:
        """Whether the last connection closed within so many seconds."""
        try:
            async with asyncio.timeout(patience):
                await self._quiet.wait()
        except TimeoutError:
            return False
        return True
