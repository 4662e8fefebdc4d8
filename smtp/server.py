"""The SMTP server of a process: its connections, its certificate and its shutdown.

A shutdown loses no accepted message, because each message is committed before its `250`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from datetime import timedelta

import structlog

from config.smtp import SmtpSettings
from router import sockets
from router.clock import Clock
from router.meter import NULL_METER, Meter
from router.ports import Acceptor, NullPrefetch, RecipientResolver, SenderPrefetch
from router.side_tasks import SideTasks
from smtp import replies
from smtp.bounds import Bounds
from smtp.connection import Connection
from smtp.context import ServerContext
from smtp.deadline import Phase
from smtp.dnsbl import BlockListResolver, BlockLists
from smtp.limits import AddressSet, PeerLimits
from smtp.listeners import Listeners
from smtp.memory import MemoryQuota
from smtp.policy import BlockedSenders
from smtp.throttle import DiscardThrottle
from smtp.tls import TlsFiles

_log = structlog.get_logger()


class Server:
    """The SMTP server of one process.

    Args:
        resolver: Queries the block lists. Without a resolver, no list is queried.
        environ: The variables in which systemd passes sockets.
        side_tasks: Runs work whose failure must not change a reply.
        bounds: Replaces the bounds that follow from `settings`.
        senders: Prepares the checks of the sender when a recipient is accepted.
    """

    def __init__(
        self,
        settings: SmtpSettings,
        hostname: str,
        recipients: RecipientResolver,
        acceptor: Acceptor,
        clock: Clock,
        *,
        resolver: BlockListResolver | None = None,
        environ: Mapping[str, str] = os.environ,
        reuse_port: bool = False,
        meter: Meter = NULL_METER,
        side_tasks: SideTasks | None = None,
        bounds: Bounds | None = None,
        senders: SenderPrefetch | None = None,
    ) -> None:
        side_tasks = side_tasks or SideTasks()
        self._bounds = bounds = bounds or Bounds.from_settings(settings)
        self._settings = settings
        self._environ = environ
        self._reuse_port = reuse_port
        self._context = ServerContext(
            bounds=bounds,
            hostname=hostname,
            expects_proxy=settings.proxy_protocol,
            recipients=recipients,
            acceptor=acceptor,
            clock=clock,
            limits=PeerLimits(bounds, AddressSet(settings.trusted_networks)),
            memory=MemoryQuota(bounds),
            throttle=DiscardThrottle(bounds),
            blocked_senders=BlockedSenders(settings.blocked_senders),
            block_lists=_create_block_lists(settings, resolver, bounds),
            meter=side_tasks.wrap_meter(meter),
            side_tasks=side_tasks,
            senders=senders or NullPrefetch(),
        )
        self._tls: TlsFiles | None = None
        self._listeners = Listeners(self._create_connection, bounds)
        # In the order in which they were opened. Messages that wait too long for memory are discarded in this order.
        self._connections: dict[Connection, None] = {}
        self._draining = False
        self._idle = asyncio.Event()  # set if no connection is open
        self._idle.set()
        self._timer: asyncio.TimerHandle | None = None
        self._next_eviction = 0.0

    @property
    def addresses(self) -> list[str]:
        """See `Listeners.addresses`. Empty unless the server listens."""
        return self._listeners.addresses

    @property
    def connection_count(self) -> int:
        return len(self._connections)

    @property
    def certificate_expires_at(self) -> float | None:
        """The expiry in Unix seconds, or None without a certificate or if the expiry is not known."""
        return None if self._tls is None else self._tls.expires_at

    async def start(self) -> None:
        """Starts listening, on all addresses or on none.

        Raises:
            OSError: An address cannot be used, or systemd passed no socket.
            ConfigError: The certificate cannot be used.
        """
        settings = self._settings
        if settings.tls_cert is not None and settings.tls_key is not None:
            self._tls = TlsFiles(settings.tls_cert, settings.tls_key)
        try:
            if settings.listen == "systemd":
                for sock in sockets.inherited_sockets("smtp", self._environ):
                    await self._listeners.listen_on_socket(sock)
            else:
                for address in settings.listen:
                    await self._listeners.listen(address.host, address.port, reuse_port=self._reuse_port)
        except OSError:
            self._listeners.close()
            raise
        self._check_deadlines(asyncio.get_running_loop())
        _log.info("smtp.listening", addresses=self.addresses, tls=self._tls is not None)

    def reload(self) -> None:
        """Reloads the certificate, even if its files did not change."""
        if self._tls is not None:
            self._tls.reload()

    async def drain(self, grace: timedelta) -> None:
        """Shuts down. Returns when no connection is open, or after `grace` and `commit_timeout`.

        Connections that only wait for a command are closed with 421 at once, others after their command or transaction,
        or at the end of `grace`. Commits in progress then have another `commit_timeout`.
        """
        self._listeners.close()
        self._draining = True
        for connection in list(self._connections):
            connection.stop_after_mail(replies.SHUTTING_DOWN)
        if not await self._wait_until_idle(grace.total_seconds()):
            for connection in list(self._connections):
                connection.stop_point = "after command"
                if connection.phase is not Phase.BUSY:
                    connection.close(replies.SHUTTING_DOWN)
            if not await self._wait_until_idle(self._bounds.commit_timeout):
                _log.warning("smtp.connections_aborted", count=len(self._connections))
                for connection in list(self._connections):
                    connection.close(replies.SHUTTING_DOWN)
        if self._timer is not None:
            self._timer.cancel()
        self._log_network_refusals()

    # Methods of `smtp.connection.Registry`.

    def register(self, connection: Connection) -> None:
        if self._draining:  # the kernel accepted the connection before the listeners closed
            connection.stop_after_mail(replies.SHUTTING_DOWN)
        self._context.meter.record_connection()
        self._context.limits.add_connection()
        self._connections[connection] = None
        self._idle.clear()

    def unregister(self, connection: Connection) -> None:
        """Reverts `register`. The event loop may report a failed handshake twice; the second call has no effect."""
        if connection not in self._connections:
            return
        del self._connections[connection]
        self._context.limits.remove_connection()
        if not self._connections:
            self._idle.set()

    # Internal.

    def _create_connection(self) -> Connection:
        return Connection(self._context, self, self._tls, asyncio.get_running_loop())

    def _check_deadlines(self, loop: asyncio.AbstractEventLoop) -> None:
        """Checks all connections with one timer, instead of one timer for each command."""
        now = loop.time()
        bounds = self._bounds
        timeout = self._command_timeout()
        for connection in list(self._connections):
            connection.check_deadlines(now, timeout)
        if now >= self._next_eviction:
            self._next_eviction = now + bounds.eviction_interval
            self._context.limits.evict_expired(self._context.clock.monotonic())
            self._log_network_refusals()
        shortest = min(bounds.command_timeout, bounds.data_timeout, bounds.max_session)
        self._timer = loop.call_later(min(bounds.deadline_interval, shortest / 4), self._check_deadlines, loop)

    def _log_network_refusals(self) -> None:
        self._context.side_tasks.run("log", self._context.network_refusals.log)

    def _command_timeout(self) -> float:
        bounds = self._bounds
        if self._context.limits.connections_scarce:
            return min(bounds.command_timeout, bounds.short_command_timeout)
        return bounds.command_timeout

    async def _wait_until_idle(self, timeout: float) -> bool:
        try:
            async with asyncio.timeout(timeout):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True


def _create_block_lists(
    settings: SmtpSettings, resolver: BlockListResolver | None, bounds: Bounds
) -> BlockLists | None:
    if resolver is None or not settings.dnsbl:
        return None
    return BlockLists(settings.dnsbl, resolver, timeout=bounds.block_list_timeout)
