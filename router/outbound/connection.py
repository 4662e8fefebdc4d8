"""One connection to a server and the request that it carries at the moment.

A byte that comes while no request is under way closes the connection: it belongs to no response that anyone waits
for, and must not be taken for the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from router.outbound.response import ResponseParser

_MAX_EARLY = 65_536  # bytes received before the first request; a server that speaks first sends a line


class Connection(asyncio.Protocol):
    """Made by `loop.create_connection`; carries one request after the other.

    lost: called with the connection when it is closed. fault: why it was lost, None when the server closed it.
    """

    def __init__(self, lost: Callable[[Connection], None]) -> None:
        self.fault: Exception | None = None
        self._lost = lost
        self._used = False
        self._early = bytearray()
        self._transport: asyncio.Transport | None = None
        self._parser: ResponseParser | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self._status_known = asyncio.Event()
        self._ended = asyncio.Event()

    @property
    def alive(self) -> bool:
        """Whether a request can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    async def exchange(self, request: bytes, parser: ResponseParser, body_patience: float) -> None:
        """Send the request; return when the parser has ended or the connection is lost.

        body_patience: seconds for the rest of a 2xx response after its status line. Other responses are read to
        their end, because their body says what to do.
        """
        self._stop_timer()
        if self._transport is None or self._transport.is_closing():
            return
        parser.reused = self._used
        self._parser, self._used = parser, True
        self._status_known.clear()
        self._ended.clear()
        try:
            self._transport.write(request)
            self._feed(bytes(self._early))
            self._early.clear()
            await self._status_known.wait()
            if parser.status is None or not 200 <= parser.status < 300:
                await self._ended.wait()
                return
            try:
                async with asyncio.timeout(body_patience):
                    await self._ended.wait()
            except TimeoutError:
                return
        finally:
            self._parser = None
            if not parser.reusable:
                self.abort()

    def keep(self, seconds: float) -> None:
        """Close after this time unless another request comes."""
        self._idle_timer = asyncio.get_running_loop().call_later(seconds, self.abort)

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by behaviour, not by class

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self._parser is not None:
            self._feed(data)
        elif self._used or len(self._early) > _MAX_EARLY:
            self.abort()
        else:
            self._early += data

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self.fault = exc
        self._stop_timer()
        if self._parser is not None:
            self._parser.feed_eof()
        self._status_known.set()
        self._ended.set()
        self._lost(self)

    def _feed(self, data: bytes) -> None:
        if self._parser is None:
            return
        self._parser.feed(data)
        if self._parser.ended:
            self._ended.set()
        if self._parser.ended or self._parser.status is not None:
            self._status_known.set()

    def _stop_timer(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None
