"""The octets of one connection: command lines in, content into a reader, replies out, and how long each may take.

`Stream` is the lower half of our `aiosmtpd.smtp.SMTP` subclass (`smtp.protocol` is the upper one and says what of
aiosmtpd is replaced). It knows lines, pieces and deadlines, and no command. Promises: what is buffered is bounded; a
peer that is silent, slow, or does not read is let go; nothing that came before a TLS handshake is read after it; and
**no event of the connection ever cancels the task**, so a client that hangs up after the final dot does not cancel a
commit. Who calls it: the event loop, `smtp.protocol`, and `smtp.server` (`check`, `end`).
"""

from __future__ import annotations

import asyncio
import ssl
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
_HANDSHAKE_TIMEOUT = 30.0  # seconds; a session costs 3 ms of CPU, a slow network some round trips

Received = Literal["whole", "endless", "gone"]


class Phase(Enum):
    """What the connection waits for."""

    COMMAND = auto()  # the peer's next line, or that it reads our replies
    CONTENT = auto()  # the peer's mail
    BUSY = auto()  # us
    HANDSHAKE = auto()  # TLS, which has a timeout of its own
    CLOSING = auto()  # nothing any more


class Stream(upstream.SMTP):
    """See the module. data_timeout in seconds, data_rate in octets a second; max_errors of the client end it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        in_flight: InFlight,
        *,
        data_timeout: float,
        data_rate: int,
        max_errors: int,
    ) -> None:
        # No StreamReader (None is what asyncio takes for that): it would take lines apart that we want whole.
        asyncio.StreamReaderProtocol.__init__(self, cast("asyncio.StreamReader", None), loop=loop)
        self.loop = loop
        self._in_flight = in_flight
        self._data_timeout = data_timeout
        self._data_rate = data_rate
        self._errors_left = max_errors
        self._wire: asyncio.Transport  # upstream's `transport`, never None: set before anything can happen
        self._buffer = bytearray()
        self._skipping: Reply | None = None  # the rest of this command line is thrown away for this reason
        self._skipped = 0
        self._out: list[bytes] = []
        self._receiving: Reader | None = None
        self._received: Received = "gone"
        self._counted = 0  # octets this connection has in flight
        self._waiter: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None  # set while the transport takes no more
        self._news = False  # something came since the task looked
        self._ended = False  # nothing more will come
        self.lost = False  # the event loop has let go of the connection
        self.phase = Phase.BUSY
        self._since = 0.0  # when the phase began
        self._heard = 0.0  # when the last octets of content came
        self._held_since: float | None = None
        self._reading = True

    # What the event loop says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Once for a connection: `loop.start_tls` keeps the protocol, unlike upstream's way."""
        self._wire = cast("asyncio.Transport", transport)
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
        self._feed(reader, data)
        if self._receiving is None:
            self._wake()

    def eof_received(self) -> bool:
        """The peer is done sending; what it sent is still answered (upstream cancels its task here)."""
        self._ended = True
        self._wake()
        # A TLS connection cannot stay half open; a plain one is closed by the task.
        return self._wire.get_extra_info("sslcontext") is None

    def connection_lost(self, error: Exception | None) -> None:
        """Tell the task, and let it finish what it is doing."""
        self.lost = self._ended = True
        if self.phase is not Phase.BUSY:
            self.phase = Phase.CLOSING
        self.resume_writing()
        self._wake()
        asyncio.StreamReaderProtocol.connection_lost(self, error)

    def pause_writing(self) -> None:
        """The peer does not read what we say."""
        if self._writable is None:
            self._writable = self.loop.create_future()

    def resume_writing(self) -> None:
        """It does again, or is gone."""
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    # What the task asks.

    async def read_line(self) -> bytes | None:
        """The next command line without its CRLF; None when there is none. Raises `CommandError` for a bad one."""
        began: float | None = None
        while self.phase is not Phase.CLOSING:
            self._news = False
            end = self._buffer.find(b"\r\n")
            if end >= 0:
                self.phase = Phase.BUSY
                line = bytes(self._buffer[:end])
                del self._buffer[: end + 2]
                if self._is_command(line):
                    return line
                continue
            self._skip_bad_line()
            if self._ended:
                return None
            if began is None:
                began = self.loop.time()
            await self.flush()
            # One deadline for the whole line: an octet now and then does not keep a session.
            self._wait_in(Phase.COMMAND, began)
            self._go_on_reading()
            await self._more()
        return None

    async def receive(self, reader: Reader) -> Received:
        """Feed `reader` to its end. endless: it was far too large and goes on; gone: the peer is."""
        self._received = "gone"
        await self.flush()
        self._receiving = reader
        pipelined = bytes(self._buffer)
        self._buffer.clear()
        self._feed(reader, pipelined)
        if self._expects_content():
            self._heard = self.loop.time()
            self._wait_in(Phase.CONTENT, self._heard)
            self._in_flight.join(self)
            self._go_on_reading()
            while self._expects_content():
                await self._more()
            self._in_flight.leave(self)
            self._receiving = None
            self._wait_in(Phase.BUSY, 0.0)
        return self._received

    def release(self, held: int = 0) -> None:
        """Octets of content that this connection still has in memory: with 0, the mail is done with."""
        octets, self._counted = held - self._counted, held
        if octets > 0:
            self._in_flight.take(octets)
        elif octets:
            self._in_flight.release(-octets)

    async def start_tls(self, context: ssl.SSLContext) -> str:
        """Handshake (RFC 3207); protocol version and cipher. Raises OSError when it fails; the connection is gone then.

        What the peer sent after its STARTTLS in clear is dropped, or an attacker in the middle could put commands into
        the session that TLS protects.
        """
        await self.flush()
        self._go_on_reading()
        self._buffer.clear()
        self._wait_in(Phase.HANDSHAKE, 0.0)
        # From here to the return below, what comes is decrypted but cannot be answered yet: `data_received` keeps it
        # and nobody else writes, so no reply goes out in clear.
        try:
            async with asyncio.timeout(_HANDSHAKE_TIMEOUT):  # start_tls's own does not see every way a peer can vanish
                wire = await self.loop.start_tls(self._wire, self, context, server_side=True)
            if wire is None or self._ended:
                raise ConnectionResetError("the peer left during the handshake")
        except OSError:
            self.end()
            self.lost = True  # `connection_lost` comes after some failures and not after others
            raise
        self._wire = wire
        self._wait_in(Phase.BUSY, 0.0)
        tls: ssl.SSLObject = wire.get_extra_info("ssl_object")
        cipher = tls.cipher()
        return f"{tls.version()} {cipher[0]}" if cipher else f"{tls.version()}"

    def say(self, reply: Reply) -> None:
        """Queue a reply: those to pipelined commands leave together (RFC 2920). Errors are counted here."""
        self._out.append(reply.octets)
        if reply.is_error:
            self._errors_left -= 1
            if self._errors_left == 0:
                self.end(replies.TOO_MANY_ERRORS)
        elif reply.closes:
            self.end()

    async def flush(self) -> None:
        """Send what was said; wait while the peer does not read."""
        if not self._out or self.phase is Phase.CLOSING:
            return
        self._write_out()
        if self._writable is not None:
            self._wait_in(Phase.COMMAND, self.loop.time())
            await self._writable
            self._wait_in(Phase.BUSY, 0.0)

    # What others do to the connection.

    def end(self, reply: Reply | None = None) -> None:
        """Say what is queued and `reply`, close the connection, and let the task end when it is not busy."""
        if self.phase is Phase.CLOSING:
            return
        if self.phase is Phase.HANDSHAKE:
            self._wire.abort()  # no word in clear inside a handshake
        elif not self._wire.is_closing():
            if reply is not None:
                self._out.append(reply.octets)
            self._write_out()
            self._wire.close()
        self.phase, self._since, self._ended = Phase.CLOSING, self.loop.time(), True
        self._wake()

    def check(self, now: float, command_timeout: float) -> None:
        """End the connection if the peer let a deadline pass. now: the loop's time; called by the server's sweep."""
        if self.phase is Phase.COMMAND:
            if now - self._since >= command_timeout:
                self.end(replies.TIMEOUT)
        elif self.phase is Phase.CLOSING:
            if now - self._since >= _CLOSING_PATIENCE:
                self._wire.abort()
        elif self.phase is Phase.CONTENT and self._receiving is not None:
            content, elapsed = self._receiving.content, now - self._since
            if self._held_since is not None:
                if now - self._held_since >= IN_FLIGHT_PATIENCE:
                    content.drop()
                    self._in_flight.leave(self)
                    self.release()
            elif now - self._heard >= self._data_timeout:
                self.end(replies.TIMEOUT)
            # A pause that data_timeout permits must not count against the average.
            elif elapsed >= self._data_timeout and content.size < elapsed * self._data_rate:
                self.end(replies.TOO_SLOW)

    def hold(self) -> None:
        """`InFlight` has no room: stop reading, and the clock of the peer's deadlines."""
        self._held_since = self.loop.time()
        self._stop_reading()

    def go_on(self) -> None:
        """`InFlight` has room again."""
        if self._held_since is not None:
            waited = self.loop.time() - self._held_since
            self._held_since = None
            self._since += waited
            self._heard += waited
        self._go_on_reading()

    # Inside.

    def _feed(self, reader: Reader, piece: bytes) -> None:
        rest = reader.feed(piece)
        content = reader.content
        self.release(content.held)
        if rest is not None:
            self._received = "whole"
            self._buffer += rest
        elif content.size > content.limit + _DISCARD_LIMIT:
            self._received = "endless"
        else:
            return
        self._receiving = None

    def _expects_content(self) -> bool:
        return self._receiving is not None and not self._ended

    def _is_command(self, line: bytes) -> bool:
        """Whether a line is one to answer; False when that was done before its end came. Raises `CommandError`."""
        skipping, self._skipping, self._skipped = self._skipping, None, 0
        if skipping is replies.BARE_LF:
            return False
        if skipping is not None:
            raise CommandError(skipping)
        if b"\n" in line:
            raise CommandError(replies.BARE_LF)
        if len(line) > LINE_LIMIT - 2 and (len(line) > MAIL_LINE_LIMIT - 2 or line[:5].upper() != b"MAIL "):
            raise CommandError(replies.LINE_TOO_LONG)
        return True

    def _skip_bad_line(self) -> None:
        """Throw away the beginning of a line that cannot become a command, however it goes on."""
        buffer = self._buffer
        if self._skipping is None:
            if b"\n" in buffer:
                # Said at once: who types commands by hand would wait for ever. The LF ends no line all the same.
                self._skipping = replies.BARE_LF
                self.say(replies.BARE_LF)
            elif len(buffer) >= MAIL_LINE_LIMIT:
                self._skipping = replies.LINE_TOO_LONG
        if self._skipping is not None:
            keep = 1 if buffer.endswith(b"\r") else 0
            self._skipped += len(buffer) - keep
            del buffer[: len(buffer) - keep]
            if self._skipped > _SKIP_LIMIT:
                self.end(replies.TOO_MANY_ERRORS)

    def _write_out(self) -> None:
        if self._out and not self._wire.is_closing():
            self._wire.write(b"".join(self._out))
        self._out.clear()

    def _wait_in(self, phase: Phase, since: float) -> None:
        if self.phase is not Phase.CLOSING:
            self.phase, self._since = phase, since

    async def _more(self) -> None:
        """Wait until something came or the end did; at once when that was since `_news` was cleared."""
        if self._news or self._ended:
            self._news = False
            return
        self._waiter = self.loop.create_future()
        await self._waiter

    def _wake(self) -> None:
        self._news = True
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _stop_reading(self) -> None:
        if self._reading and self.phase is not Phase.HANDSHAKE and not self._wire.is_closing():
            self._reading = False
            self._wire.pause_reading()

    def _go_on_reading(self) -> None:
        if not self._reading and self._held_since is None and len(self._buffer) <= _BUFFER_LIMIT:
            self._reading = True
            if not self._wire.is_closing():
                self._wire.resume_reading()
