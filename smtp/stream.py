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
from collections.abc import Callable
from enum import Enum, auto
from typing import Literal, Protocol, TypeVar, cast

from aiosmtpd import smtp as upstream

from smtp import replies
from smtp.data import Content, Reader
from smtp.in_flight import IN_FLIGHT_PATIENCE, InFlight
from smtp.lines import CommandLines
from smtp.replies import Reply

_BUFFER_LIMIT = 65536  # octets of pipelined commands; past it the socket is not read until they are answered
_TURN = 16  # commands answered in a row before other connections have their turn; a busy one takes a millisecond
_DISCARD_LIMIT = 67108864  # octets past its limit that a mail is read and thrown away for, to be told 552 in order
_CLOSING_PATIENCE = 10.0  # seconds that a peer has to take our last words
_HEAD_PATIENCE = 10.0  # seconds for a PROXY header; a balancer sends it with its first packet
_HANDSHAKE_TIMEOUT = 30.0  # seconds; a session costs 3 ms of CPU, a slow network some round trips

Received = Literal["whole", "endless", "gone"]


class Sized(Protocol):
    """Something parsed from the start of the buffer: how many octets it took."""

    @property
    def size(self) -> int: ...


_Sized = TypeVar("_Sized", bound=Sized)


class Phase(Enum):
    """What the connection waits for."""

    HEAD = auto()  # what a balancer says before the client
    COMMAND = auto()  # the peer's next line, or that it reads our replies
    CONTENT = auto()  # the peer's mail
    BUSY = auto()  # us
    HANDSHAKE = auto()  # TLS, which has a timeout of its own
    CLOSING = auto()  # nothing any more


# By name: until Python 3.12 a member of an Enum costs three times a global, several times for every command.
HEAD, COMMAND, CONTENT, BUSY, HANDSHAKE, CLOSING = Phase


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
        self._lines = CommandLines()
        self._out: list[bytes] = []
        self._receiving: Reader | None = None
        self._received: Received = "gone"
        self._answered = 0  # lines since other connections had their turn
        self._size_before = 0  # octets of content that earlier chunks brought
        self._counted = 0  # octets this connection has in flight
        self._partly: Content | None = None  # of a mail whose next chunk must come
        self.share: str | None = None  # whose part of the room they use, see `Holder`
        self._waiter: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None  # set while the transport takes no more
        self._news = False  # something came since the task looked
        self._ended = False  # nothing more will come
        self.lost = False  # the event loop has let go of the connection
        self.phase: Phase = BUSY
        self._since = 0.0  # when the phase began
        self._heard = 0.0  # when the last octets of content came
        self._held_since: float | None = None
        self._reading = True
        self._rest_ends: asyncio.TimerHandle | None = None  # between two pieces of what is thrown away

    # What the event loop says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Once for a connection: `loop.start_tls` keeps the protocol, unlike upstream's way."""
        self._wire = cast("asyncio.Transport", transport)
        self._handler_coroutine = self.loop.create_task(self._handle_client())

    def data_received(self, data: bytes) -> None:
        """Content goes straight into its reader; the task wakes up when it is whole, not for every piece."""
        reader = self._receiving
        if reader is None:
            self._keep(data)
            self._wake()
            if self._lines.skipping:
                self._rest(len(data))
            return
        self._heard = self.loop.time()
        self._feed(reader, data)
        if self._receiving is None:
            self._wake()
        elif reader.content.dropped:
            self._rest(len(data))

    def eof_received(self) -> bool:
        """The peer is done sending; what it sent is still answered (upstream cancels its task here)."""
        self._ended = True
        self._wake()
        # A TLS connection cannot stay half open; a plain one is closed by the task.
        return self.phase is not HANDSHAKE and self._wire.get_extra_info("sslcontext") is None

    def connection_lost(self, error: Exception | None) -> None:
        """Tell the task, and let it finish what it is doing."""
        self.lost = self._ended = True
        self._end_rest()
        if self.phase is not BUSY:
            self.phase = CLOSING
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
        # Of a peer that is gone nothing more is done: it would not hear the answer and send it all again.
        while self.phase is not CLOSING and not self.lost:
            if self._answered >= _TURN:  # answering pipelined ones waits for nothing, and would stop all others
                self._answered = 0
                await asyncio.sleep(0)
                continue
            self._news = False
            line = self._lines.take()
            if line is not None:
                self.phase = BUSY
                self._answered += 1
                return line
            self._answered = 0
            if self._ended:
                return None
            if began is None:
                began = self.loop.time()
            await self.flush()
            # One deadline for the whole line: an octet now and then does not keep a session.
            self._wait_in(COMMAND, began)
            self._go_on_reading()
            await self._more()
        return None

    async def read_head(self, parse: Callable[[bytes], _Sized | None]) -> _Sized | None:
        """What stands before the greeting, when `parse` has all of it; None when it did not come in time."""
        began = self.loop.time()
        while self.phase is not CLOSING:
            self._news = False
            head = parse(bytes(self._lines.octets))
            if head is not None:
                del self._lines.octets[: head.size]
                self._wait_in(BUSY, began)
                return head
            if self._ended:
                return None
            self._wait_in(HEAD, began)
            await self._more()
        return None

    async def receive(self, reader: Reader, *, partly: bool = False) -> Received:
        """Feed `reader` to its end. endless: it was far too large and goes on; gone: the peer is.

        partly: more of the mail comes by another reader, until `let_go`.
        """
        self._received = "gone"
        await self.flush()
        if self.phase is CLOSING:
            return "gone"
        self._size_before = reader.content.size
        self._receiving = reader
        self._feed(reader, self._lines.cut(reader.most))
        if self._expects_content():
            self._heard = self.loop.time()
            self._wait_in(CONTENT, self._heard)
            self._go_on_reading()
            while self._expects_content():
                await self._more()
            self._receiving = None
            self._wait_in(BUSY, 0.0)
        self._partly = reader.content if partly else None
        if not partly:
            self._in_flight.leave(self)
        return self._received

    def let_go(self) -> None:
        """The mail is done with: nothing of it is in memory."""
        self._partly = None
        self._in_flight.leave(self)
        octets, self._counted = self._counted, 0
        self._in_flight.release(self, octets)

    def _count(self, held: int) -> None:
        """Octets of content that this connection has in memory now."""
        octets, self._counted = held - self._counted, held
        if octets > 0:
            self._in_flight.take(self, octets, held)
        elif octets:
            self._in_flight.release(self, -octets)

    async def start_tls(self, context: ssl.SSLContext) -> str:
        """Handshake (RFC 3207); protocol version and cipher. Raises OSError when it fails; the connection is gone then.

        What the peer sent after its STARTTLS in clear is dropped, or an attacker in the middle could put commands into
        the session that TLS protects.
        """
        await self.flush()
        self._lines.clear()
        # The wire reads after a handshake, whatever it did before. A rest that outlasts it would have us believe that
        # it does not, and nothing would stop what the peer sends.
        self._end_rest()
        self._go_on_reading()
        self._wait_in(HANDSHAKE, 0.0)
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
        self._wait_in(BUSY, 0.0)
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
        if not self._out or self.phase is CLOSING:
            return
        self._write_out()
        if self._writable is not None:
            self._wait_in(COMMAND, self.loop.time())
            await self._writable
            self._wait_in(BUSY, 0.0)

    # What others do to the connection.

    def end(self, reply: Reply | None = None) -> None:
        """Say what is queued and `reply`, close the connection, and let the task end when it is not busy."""
        if self.phase is CLOSING:
            return
        if self.phase is HANDSHAKE:
            self._wire.abort()  # no word in clear inside a handshake
        elif not self._wire.is_closing():
            if reply is not None:
                self._out.append(reply.octets)
            self._write_out()
            self._wire.close()
        self.phase, self._since, self._ended = CLOSING, self.loop.time(), True
        self._wake()

    def check(self, now: float, command_timeout: float) -> None:
        """End the connection if the peer let a deadline pass. now: the loop's time; called by the server's sweep."""
        if self._held_since is not None and now - self._held_since >= IN_FLIGHT_PATIENCE:
            content = self._receiving.content if self._receiving is not None else self._partly
            if content is not None:  # the mail is put off; its end, or its next chunk, is told so
                content.drop()
                self.let_go()
        if self.phase is COMMAND:
            if now - self._since >= command_timeout:
                self.end(replies.TIMEOUT)
        elif self.phase is HEAD:
            if now - self._since >= _HEAD_PATIENCE:
                self.end()
        elif self.phase is CLOSING:
            if now - self._since >= _CLOSING_PATIENCE:
                self._wire.abort()
        elif self.phase is CONTENT and self._receiving is not None and self._held_since is None:
            content, elapsed = self._receiving.content, now - self._since
            if now - self._heard >= self._data_timeout:
                self.end(replies.TIMEOUT)
            # A pause that data_timeout permits must not count against the average.
            elif elapsed >= self._data_timeout and content.size - self._size_before < elapsed * self._data_rate:
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
        if content.dropped:
            self._in_flight.leave(self)  # no room is kept for what it may still grow by
        self._count(content.held)
        if rest is not None:
            self._received = "whole"
            self._keep(rest)
        elif content.size > content.limit + _DISCARD_LIMIT:
            self._received = "endless"
        else:
            return
        self._receiving = None

    def _keep(self, octets: bytes) -> None:
        """What is not content waits for its turn."""
        self._lines.octets += octets
        if len(self._lines.octets) > _BUFFER_LIMIT:
            self._stop_reading()

    def _expects_content(self) -> bool:
        return self._receiving is not None and not self._ended

    def _write_out(self) -> None:
        if self._out and not self._wire.is_closing():
            self._wire.write(b"".join(self._out))
        self._out.clear()

    def _wait_in(self, phase: Phase, since: float) -> None:
        if self.phase is not CLOSING:
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
        if self._reading and self.phase is not HANDSHAKE and not self._wire.is_closing():
            self._reading = False
            self._wire.pause_reading()

    def _rest(self, octets: int) -> None:
        """Read on later: what comes is only thrown away, as these octets were."""
        if self._rest_ends is None:
            self._stop_reading()
            now = self.loop.time()
            self._rest_ends = self.loop.call_later(self._in_flight.rest(octets, now), self._rested, now)

    def _rested(self, since: float) -> None:
        self._rest_ends = None
        if self.phase is CONTENT:  # the rest is ours, not the peer's silence
            waited = self.loop.time() - since
            self._since += waited
            self._heard += waited
        self._go_on_reading()

    def _end_rest(self) -> None:
        if self._rest_ends is not None:
            self._rest_ends.cancel()
            self._rest_ends = None

    def _go_on_reading(self) -> None:
        if self._reading or self._rest_ends is not None or self._held_since is not None:
            return
        if len(self._lines.octets) <= _BUFFER_LIMIT:
            self._reading = True
            if not self._wire.is_closing():
                self._wire.resume_reading()
