"""The octets of one connection: command lines in, content into a reader, replies out, and how long each may take.

`Stream` is the lower half of our `aiosmtpd.smtp.SMTP` subclass (`smtp.protocol` is the upper one and says what of
aiosmtpd is replaced). It knows lines, pieces and deadlines, and no command. Promises: nothing is sent but by the task of
the connection or after that task was told to end; what is buffered is bounded; a peer that is silent, slow, or does
not read is let go; **no event of the connection ever cancels the task**, so a client that hangs up after the final dot
does not cancel a commit. Who calls it: the event loop, `smtp.protocol`, and `smtp.server` (`check`, `end`).
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from typing import Literal, cast

from aiosmtpd import smtp as upstream

from smtp import replies
from smtp.commands import LINE_LIMIT, MAIL_LINE_LIMIT, CommandError
from smtp.data import Reader
from smtp.limits import IN_FLIGHT_PATIENCE, InFlight
from smtp.replies import Reply

_BUFFER_LIMIT = 65536  # octets of pipelined commands; past it the socket is not read until they are answered
_SKIP_LIMIT = 1048576  # octets of one endless command line that are thrown away before the session is closed
_DISCARD_LIMIT = 67108864  # octets past its limit that a mail is read and thrown away for, to be told 552 in order
_CLOSING_PATIENCE = 10.0  # seconds that a peer has to take our last words


class Phase(Enum):
    """What the connection waits for."""

    COMMAND = auto()  # the peer's next line, or that it reads our replies
    CONTENT = auto()  # the peer's mail
    BUSY = auto()  # us: the core, or a TLS handshake, which has a timeout of its own
    CLOSING = auto()  # nothing any more


class Stream(upstream.SMTP):
    """See the module. command, data timeouts in seconds; data_rate in octets a second."""

    def __init__(  # not upstream's: see smtp.protocol
        self, loop: asyncio.AbstractEventLoop, in_flight: InFlight, *, data_timeout: float, data_rate: int
    ) -> None:
        # Without a StreamReader: it would take lines apart that we want whole.
        asyncio.StreamReaderProtocol.__init__(self, cast("asyncio.StreamReader", None), loop=loop)
        self.loop = loop
        self.transport: asyncio.Transport | None = None
        self._in_flight = in_flight
        self._data_timeout = data_timeout
        self._data_rate = data_rate
        self._buffer = bytearray()
        self._skipping: Reply | None = None  # the rest of this command line is thrown away, then this is said
        self._skipped = 0
        self._out: list[bytes] = []
        self._receiving: Reader | None = None
        self._counted = 0  # octets this connection has in flight
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False  # nothing more will come
        self._phase = Phase.BUSY
        self._since = 0.0  # when the phase began
        self._heard = 0.0  # when the last octet of content came
        self._held_since: float | None = None
        self._reading_stopped = False

    # What the event loop says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Not again after STARTTLS: `loop.start_tls` keeps the protocol."""
        asyncio.StreamReaderProtocol.connection_made(self, transport)
        self.transport = cast("asyncio.Transport", transport)
        self._handler_coroutine = self.loop.create_task(self._handle_client())

    def data_received(self, data: bytes) -> None:
        """Content goes straight into its reader; the task wakes up when it is whole, not for every piece."""
        reader = self._receiving
        if reader is None:
            self._buffer += data
            if len(self._buffer) > _BUFFER_LIMIT:
                self._stop_reading()
            self._wake()
            return
        self._heard = self.loop.time()
        rest = reader.feed(data)
        self._count(reader.content.held)
        content = reader.content
        if rest is not None:
            self._buffer += rest
        elif content.size <= content.limit + _DISCARD_LIMIT:
            return
        self._receiving = None
        self._wake()

    def eof_received(self) -> bool:
        """The peer is done sending; what it sent is still answered (upstream cancels its task here)."""
        self._ended = True
        self._wake()
        # A TLS connection cannot stay half open; a plain one is closed by the task.
        return not self._over_tls()

    def connection_lost(self, error: Exception | None) -> None:
        """Tell the task, and let it finish what it is doing."""
        self._ended = True
        if self._receiving is not None:
            self._receiving.content.drop()
            self._receiving = None
        self._wake()
        asyncio.StreamReaderProtocol.connection_lost(self, error)

    # What the task asks.

    async def read_line(self) -> bytes | None:
        """The next command line without its CRLF; None when the peer is gone. Raises `CommandError` for a bad one."""
        began: float | None = None
        while True:
            end = self._buffer.find(b"\r\n")
            if end >= 0:
                line = bytes(self._buffer[:end])
                del self._buffer[: end + 2]
                self._phase = Phase.BUSY
                return self._whole(line)
            self._skip_bad_line()
            if self._ended:
                return None
            if began is None:
                began = self.loop.time()
            await self.flush()
            # One deadline for the whole line: an octet now and then does not keep a session.
            self._phase, self._since = Phase.COMMAND, began
            await self._more()

    def _whole(self, line: bytes) -> bytes | None:
        skipping, self._skipping, self._skipped = self._skipping, None, 0
        if skipping is not None:
            # The one about a bare LF was said when it was seen.
            if skipping is replies.BARE_LF:
                return b""
            raise CommandError(skipping)
        if b"\n" in line:
            raise CommandError(replies.BARE_LF)
        if len(line) > LINE_LIMIT - 2 and (len(line) > MAIL_LINE_LIMIT - 2 or line[:4].upper() != b"MAIL"):
            raise CommandError(replies.LINE_TOO_LONG)
        return line

    def _skip_bad_line(self) -> None:
        """Throw away the beginning of a line that cannot become a command, whatever its end."""
        buffer = self._buffer
        if self._skipping is None:
            if b"\n" in buffer:
                # Said at once: who types LF by hand would wait for ever. It ends no line all the same.
                self._skipping = replies.BARE_LF
            elif len(buffer) > MAIL_LINE_LIMIT:
                self._skipping = replies.LINE_TOO_LONG
            if self._skipping is replies.BARE_LF:
                self.say(replies.BARE_LF)
        if self._skipping is not None:
            self._skipped += len(buffer)
            del buffer[: len(buffer) - buffer.endswith(b"\r")]
            if self._skipped > _SKIP_LIMIT:
                self.end(replies.TOO_MANY_ERRORS)

    async def receive(self, reader: Reader) -> Literal["whole", "endless", "gone"]:
        """Feed `reader` to its end. endless: it was far too large and goes on; gone: the peer is."""
        await self.flush()
        if self._ended and not self._buffer:
            return "gone"
        rest = reader.feed(bytes(self._buffer))
        self._buffer.clear()
        self._count(reader.content.held)
        if rest is not None:
            self._buffer += rest
            return "whole"
        self._since = self._heard = self.loop.time()
        self._phase, self._receiving = Phase.CONTENT, reader
        self._in_flight.join(self)
        try:
            self._go_on_reading()
            while self._receiving is not None and not self._ended:
                await self._more()
        finally:
            self._in_flight.leave(self)
            if self._phase is Phase.CONTENT:
                self._phase = Phase.BUSY
        if self._receiving is not None or self._phase is Phase.CLOSING:
            self._receiving = None
            return "gone"
        content = reader.content
        return "endless" if content.size > content.limit + _DISCARD_LIMIT else "whole"
