"""The HTTP server of the API. Stopping it lets running requests finish within a time limit.

A malformed request is answered with a JSON error. Idle connections and incomplete request heads time out.
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

# Longer than the 60 s after which nginx by default closes an idle upstream connection, so that nginx closes first.
# Otherwise the proxy may send a request on a connection that is just being closed.
KEEPALIVE_SECONDS = 75.0
# Each connection takes a file descriptor and memory.
MAX_CONNECTIONS = 1000
# Maximum time that a client may stop reading a response. Long enough for a short network failure.
CLIENT_READ_SECONDS = 120.0
# During a stop, the maximum wait for the first request of a new connection. Short, because browsers open connections
# that stay idle.
FIRST_REQUEST_SECONDS = 0.5
# During a stop, the maximum wait for running requests, and then for cancelled requests.
GRACE_SECONDS = 10.0
CANCEL_SECONDS = 0.5
MAX_LOGGED = 10
_POLL_SECONDS = 0.02
_LINGER_SECONDS = 2.0

log = structlog.get_logger()


class _HttpConnection(RequestHandler):
    __slots__ = ("_admitted", "_limits", "_peer", "_stall_timer")

    def __init__(self, manager: web.Server, *, limits: ConnectionLimits, **options: Any) -> None:
        super().__init__(manager, **options)
        self._limits = limits
        self._peer: IPv4Address | IPv6Address | None = None
        self._admitted = False
        self._stall_timer: asyncio.TimerHandle | None = None  # runs while the write buffer is full

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._peer = peer_address(transport)
        self._admitted = self._limits.admit(self._peer)
        if self._admitted:
            super().connection_made(transport)
        else:
            # Sends no response, because there is no request yet.
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
        """Limits how long the client may stop reading. aiohttp has no such limit."""
        if self.transport is not None:
            unread = self.transport.get_write_buffer_size()
            self._stall_timer = self._loop.call_later(CLIENT_READ_SECONDS, self._check_stall, unread)

    def _stop_stall_timer(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _check_stall(self, unread: int) -> None:
        if self.transport is None:
            return
        if self.transport.get_write_buffer_size() < unread:
            self._start_stall_timer()
        else:
            self.transport.abort()

    @property
    def has_no_request(self) -> bool:
        return self._request_count == 0

    @property
    def current_request(self) -> str:
        request = self._current_request
        return "" if request is None else f"{request.method} {request.path}"

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - the message of aiohttp quotes client input
    ) -> web.StreamResponse:
        if request.writer.output_size > 0:
            raise ConnectionError("the response has already started")
        if status >= 500:
            log.error("api.internal_error", exc_info=exc)
            response = responses.error("internal_error", "Internal server error")
        else:
            response = responses.error("invalid_request", "Malformed HTTP request")
        headers.set_headers(response)
        response.force_close()
        return response


class ApiServer:
    """Listens on one address or on sockets from systemd.

    After `start`, `address` has the actual port, even if port 0 was requested.
    """

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
        """Does not listen yet.

        `keepalive_timeout` applies to idle connections and incomplete request heads.
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
        """Starts listening. Raises OSError if the address is unavailable or systemd passed no socket."""
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
            for sock in sockets.inherited_sockets("api", self._environ):
                self._servers.append(await loop.create_server(connection, sock=sock))
        else:
            self._servers.append(await loop.create_server(connection, self._host, self._port))
        self.address = self._servers[0].sockets[0].getsockname()[:2]

    async def stop(self, grace: float = GRACE_SECONDS) -> None:
        """Stops listening, waits for running requests and cancels them after `grace` seconds. Idempotent."""
        servers, self._servers = self._servers, []
        for server in servers:
            server.close()
        if self._runner is not None and servers:
            await self._await_first_requests(self._runner)
        runner, self._runner = self._runner, None
        if runner is not None:
            # Ends event streams, which would otherwise use up the grace period.
            await runner.shutdown()
            manager = runner.server
            if manager is not None:
                manager.pre_shutdown()
                try:
                    async with asyncio.timeout(grace):
                        # aiohttp cancels requests when its own limit expires, so that limit must exceed `grace`.
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
        """Waits for the first request of connections accepted just before the listeners closed."""
        manager = runner.server
        end = asyncio.get_running_loop().time() + FIRST_REQUEST_SECONDS
        while manager is not None and asyncio.get_running_loop().time() < end:
            if not any(isinstance(one, _HttpConnection) and one.has_no_request for one in manager.connections):
                return
            await asyncio.sleep(_POLL_SECONDS)
