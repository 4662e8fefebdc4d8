"""The API's sockets: started on an address, stopped without cutting off what is being answered.

What cannot be read as HTTP is answered in the same JSON shape as everything else. A connection that says nothing, or
only half a request's head, is closed after a while; `connection_limits` bounds how many there are.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from api import responses
from api.connection_limits import ConnectionLimits
from api.middleware import headers
from api.middleware.addresses import peer_address
from router import sockets

# Longer than the 60 s for which nginx and balancers keep an idle connection: the side that sends requests closes first.
KEEPALIVE_SECONDS = 75.0
# Connections at once in one process: each takes a descriptor and some 100 KiB.
MAX_CONNECTIONS = 1000
# How long a client may take nothing of an answer that waits for it. As long as a network that fails for a moment needs.
CLIENT_READ_SECONDS = 120.0
# At a stop, how long the first request of a new connection is waited for; a browser may open one and say nothing.
FIRST_REQUEST_SECONDS = 0.5
# At a stop, how long requests that run may take to end, and then to react to being cut off.
GRACE_SECONDS = 10.0
CANCEL_SECONDS = 0.5
# Of the requests that are cut off, how many the log names.
MAX_LOGGED = 10
_POLL_SECONDS = 0.02
_LINGER_SECONDS = 2.0

log = structlog.get_logger()


class _HttpConnection(RequestHandler):
    """aiohttp's, but its own errors are ours, silence has an end, and connections are limited."""

    __slots__ = ("_admitted", "_limits", "_peer", "_unread")

    def __init__(self, manager: web.Server, *, limits: ConnectionLimits, **options: Any) -> None:
        super().__init__(manager, **options)
        self._limits = limits
        self._peer: IPv4Address | IPv6Address | None = None
        self._admitted = False
        self._unread: asyncio.TimerHandle | None = None  # while the client takes less than there is

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._peer = peer_address(transport)
        self._admitted = self._limits.admit(self._peer)
        if self._admitted:
            super().connection_made(transport)
        else:
            # Nothing is sent: there is no request yet that an answer could be for.
            transport.close()

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._admitted:
            self._admitted = False
            self._limits.release(self._peer)
        self._stop_stall_timer()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._start_stall_timer()

    def resume_writing(self) -> None:
        self._stop_stall_timer()
        super().resume_writing()

    def _start_stall_timer(self) -> None:
        """A client that never reads would keep its connection: aiohttp waits for it without a limit."""
        if self.transport is not None:
            unread = self.transport.get_write_buffer_size()
            self._unread = self._loop.call_later(CLIENT_READ_SECONDS, self._check_stall, unread)

    def _stop_stall_timer(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _check_stall(self, unread: int) -> None:
        """Closes the connection if the client took nothing since `unread` bytes waited for it."""
        if self.transport is None:
            return
        if self.transport.get_write_buffer_size() < unread:
            self._start_stall_timer()
        else:
            self.transport.abort()

    @property
    def has_no_request(self) -> bool:
        """Nothing has come yet: whoever connected is about to ask."""
        return self._request_count == 0

    @property
    def current_request(self) -> str:
        """The request that is being answered, by method and path; `""` for none."""
        request = self._current_request
        return "" if request is None else f"{request.method} {request.path}"

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - aiohttp's words quote what the client sent
    ) -> web.StreamResponse:
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has been begun already")
        if status >= 500:
            log.error("api.internal_error", exc_info=exc)
            response = responses.error("internal_error", "Internal server error")
        else:
            response = responses.error("invalid_request", "Malformed HTTP request")
        headers.set_headers(response)
        response.force_close()
        return response


class ApiServer:
    """One address, or systemd's sockets. `address` is where it listens, with the port that the system chose for 0."""

    def __init__(
        self,
        app: web.Application,
        *,
        host: str = "",
        port: int = 0,
        systemd: bool = False,
        limits: ConnectionLimits,
        keepalive_timeout: float = KEEPALIVE_SECONDS,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """systemd: instead of `host` and `port`, what systemd passed by the environment.

        keepalive_timeout: seconds after which a connection without a request, or with half a head, is closed.
        """
        self._limits = limits
        self._app = app
        self._host = host
        self._port = port
        self._systemd = systemd
        self._keepalive_timeout = keepalive_timeout
        self._environ = environ
        self._runner: web.AppRunner | None = None
        self._servers: list[asyncio.Server] = []
        self.address = (host, port)

    async def start(self) -> None:
        """Listens. Raises OSError when the address, or a socket of systemd's, is not to be had."""
        runner = web.AppRunner(self._app, access_log=None, handle_signals=False)
        await runner.setup()
        self._runner = runner
        manager = runner.server
        if manager is None:
            raise RuntimeError("aiohttp made no server")
        loop = asyncio.get_running_loop()

        def connection() -> asyncio.Protocol:
            return _HttpConnection(
                manager,
                limits=self._limits,
                loop=loop,
                access_log=None,
                keepalive_timeout=self._keepalive_timeout,
                lingering_time=_LINGER_SECONDS,
                auto_decompress=False,
            )

        if self._systemd:
            for sock in sockets.passed("api", self._environ):
                self._servers.append(await loop.create_server(connection, sock=sock))
        else:
            self._servers.append(await loop.create_server(connection, self._host, self._port))
        self.address = self._servers[0].sockets[0].getsockname()[:2]

    async def stop(self, grace: float = GRACE_SECONDS) -> None:
        """No new connections; requests that run are cut off after `grace` seconds. Safe to call twice."""
        servers, self._servers = self._servers, []
        for server in servers:
            server.close()
        if self._runner is not None and servers:
            await self._await_first_requests(self._runner)
        runner, self._runner = self._runner, None
        if runner is not None:
            # What streams until it is told to end is told now, not after everybody has waited for it.
            await runner.shutdown()
            manager = runner.server
            if manager is not None:
                manager.pre_shutdown()
                try:
                    async with asyncio.timeout(grace):
                        # aiohttp waits for its own limit twice, and cancels no request before.
                        await manager.shutdown(grace + 1)
                except TimeoutError:
                    connections = [each for each in manager.connections if isinstance(each, _HttpConnection)]
                    aborted = [each.current_request for each in connections if each.current_request]
                    log.warning(
                        "api.requests_aborted",
                        count=len(aborted),
                        requests=aborted[:MAX_LOGGED],
                        after_seconds=grace,
                    )
                    await manager.shutdown(CANCEL_SECONDS)
            await runner.cleanup()

    @staticmethod
    async def _await_first_requests(runner: web.AppRunner) -> None:
        """Who connected a moment before the listeners closed is still heard: to them it would be a refusal."""
        manager = runner.server
        end = asyncio.get_running_loop().time() + FIRST_REQUEST_SECONDS
        while manager is not None and asyncio.get_running_loop().time() < end:
            if not any(isinstance(one, _HttpConnection) and one.has_no_request for one in manager.connections):
                return
            await asyncio.sleep(_POLL_SECONDS)
