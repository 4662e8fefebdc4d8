"""The bytes of one connection: lines and content in, replies out, TLS.

Reading pauses while too much data is buffered. No byte from before a TLS handshake is used after the handshake.
**No event of the connection cancels the task**, so a client that disconnects after the final dot does not cancel
a commit. Only one task may call the coroutines.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from enum import Enum, auto
from typing import Protocol, TypeVar, cast

from smtp.bounds import Bounds
from smtp.deadline import BUSY, CLOSING, COMMAND, CONTENT, HANDSHAKE, PROXY_HEADER, Deadline
from smtp.lines import CommandLines
from smtp.throttle import DiscardThrottle
from smtp.wakeup import Wakeup


class PauseReason(Enum):
    """Why reading from a connection is paused."""

    BUFFER = auto()  # too many bytes of commands are buffered
    MEMORY = auto()
    THROTTLE = auto()  # the rate of discarded data is limited


class Sink(Protocol):
    """Receives the bytes of message content."""

    @property
    def max_feed_bytes(self) -> int:
        """The maximum number of bytes that `feed` consumes."""
        ...

    @property
    def is_discarding(self) -> bool: ...

    def feed(self, data: bytes) -> bytes | None:
        """Consumes `data`. Returns None until the end of the content, then the bytes that follow the end."""
        ...


class SizedHeader(Protocol):
    """A header parsed from the first bytes of a connection."""

    @property
    def size(self) -> int:
        """The length in bytes."""
        ...


_Header = TypeVar("_Header", bound=SizedHeader)


class Transport:
    """Reads and writes the bytes of one connection."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, deadline: Deadline, throttle: DiscardThrottle, bounds: Bounds
    ) -> None:
        self._loop = loop
        self._deadline = deadline
        self._throttle = throttle
        self._bounds = bounds
        self._transport: asyncio.Transport  # set by `connection_made`
        self.lines = CommandLines(bounds.max_skipped_line_bytes)
        self._sink: Sink | None = None
        self._wakeup = Wakeup(loop)  # set when commands arrive, content is complete, or the input ends
        self._input_ended = False
        self.is_lost = False  # whether the connection is closed, or a TLS handshake failed
        self.pauses: set[PauseReason] = set()
        self._throttle_timer: asyncio.TimerHandle | None = None
        self._output: list[bytes] = []
        self._writable: asyncio.Future[None] | None = None  # None unless writing is paused
        self._consecutive_commands = 0  # commands taken since the last wait for input or `sleep(0)`

    # Events of the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Buffers commands, or passes content to the sink. Content wakes the task only at its end."""
        sink = self._sink
        if sink is None:
            self._buffer(data)
            self._wakeup.set()
            discarding = self.lines.is_skipping
        else:
            self._deadline.last_byte = self._loop.time()
            self._feed(sink, data)
            if self._sink is None:
                self._deadline.enter_busy()
                self._wakeup.set()
                return
            discarding = sink.is_discarding
        if discarding:
            self._throttle_reading(len(data))

    def eof_received(self) -> bool:
        """Returns True to keep the connection open for replies. With TLS, this is not possible."""
        self._end_input()
        return self._deadline.phase is not HANDSHAKE and self._transport.get_extra_info("sslcontext") is None

    def connection_lost(self) -> None:
        """Ends all waiting for the peer. The task still completes its work."""
        self.is_lost = True
        self._stop_throttle()
        if self._deadline.phase is not BUSY:
            self._deadline.enter(CLOSING, self._loop.time())
        self.resume_writing()
        self._end_input()

    def pause_writing(self) -> None:
        if self._writable is None:
            self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    # Reading.

    async def read_line(self) -> bytes | None:
        """Returns the next command line without CRLF, or None if there will be no more. Raises CommandError."""
        deadline = self._deadline
        started: float | None = None
        # A peer that is gone cannot receive replies, so its remaining commands are ignored.
        while deadline.phase is not CLOSING and not self.is_lost:
            if self._consecutive_commands >= self._bounds.commands_per_iteration:
                # Pipelined commands need no waiting, so they could starve other connections.
                self._consecutive_commands = 0
                await asyncio.sleep(0)
                continue
            line = self.lines.take_line()
            if line is not None:
                deadline.phase = BUSY
                if started is not None:
                    deadline.command_time += self._loop.time() - started
                self._consecutive_commands += 1
                return line
            self._consecutive_commands = 0
            if self._input_ended:
                return None
            if started is None:
                started = self._loop.time()
            await self.flush()
            # Single bytes do not extend the time limit of a line.
            deadline.enter(COMMAND, started)
            if self.pauses:
                self._resume_buffer()
            await self._wakeup.wait()
        return None

    async def read_header(self, parse: Callable[[bytes], _Header | None]) -> _Header | None:
        """Returns the header that `parse` finds, or None if the connection ends first."""
        self._deadline.enter(PROXY_HEADER, self._loop.time())
        while self._deadline.phase is not CLOSING:
            header = parse(bytes(self.lines.buffer))
            if header is not None:
                del self.lines.buffer[: header.size]
                self._deadline.enter_busy()
                return header
            if self._input_ended:
                return None
            await self._wakeup.wait()
        return None

    async def receive(self, sink: Sink) -> bool:
        """Feeds a sink until the content ends. Returns False if the connection ends earlier."""
        await self.flush()
        if self._deadline.phase is CLOSING:
            return False
        self._sink = sink
        self._feed(sink, self.lines.take_bytes(sink.max_feed_bytes))
        if self._is_receiving():
            self._deadline.enter(CONTENT, self._loop.time())
            if self.pauses:
                self._resume_buffer()
            while self._is_receiving():
                await self._wakeup.wait()
            self._deadline.enter_busy()
        complete = self._sink is None
        self._sink = None
        return complete

    def pause(self, reason: PauseReason) -> None:
        if not self.pauses:
            self._deadline.suspend(self._loop.time())
            # asyncio must read during a TLS handshake. `start_tls` applies the pauses after it.
            if self._deadline.phase is not HANDSHAKE and not self._transport.is_closing():
                self._transport.pause_reading()
        self.pauses.add(reason)

    def resume(self, reason: PauseReason) -> None:
        """Removes a reason to pause, and resumes reading if none is left."""
        if reason not in self.pauses:
            return
        self.pauses.remove(reason)
        if not self.pauses:
            self._deadline.resume(self._loop.time())
            if self._deadline.phase is not HANDSHAKE and not self._transport.is_closing():
                self._transport.resume_reading()

    # Writing.

    def write(self, data: bytes) -> None:
        """Queues bytes, so that replies to pipelined commands are sent together (RFC 2920)."""
        self._output.append(data)

    async def flush(self) -> None:
        """Sends the queued bytes, and waits while the peer does not read."""
        if not self._output or self._deadline.phase is CLOSING:
            return
        self._write_output()
        if self._writable is not None:
            self._deadline.enter(COMMAND, self._loop.time())
            await self._writable
            self._deadline.enter_busy()

    async def start_tls(self, context: ssl.SSLContext) -> str:
        """Performs the handshake (RFC 3207). Returns protocol version and cipher.

        Discards bytes sent in clear after STARTTLS, because an attacker could have inserted commands.

        Raises:
            OSError: The handshake failed, and the connection is closed.
        """
        await self.flush()
        if self._deadline.phase is CLOSING:
            raise ConnectionResetError("connection closed before the TLS handshake")
        self.lines.clear()
        # `loop.start_tls` resumes reading, so no reason to pause may stay set.
        self._stop_throttle()
        for reason in list(self.pauses):
            self.resume(reason)
        self._deadline.enter(HANDSHAKE, self._loop.time())
        # Bytes written before `loop.start_tls` returns would be sent in clear.
        try:
            # If the peer is gone, the timeout of `loop.start_tls` does not always end the wait.
            async with asyncio.timeout(self._bounds.handshake_timeout):
                transport = await self._loop.start_tls(
                    self._transport, self._transport.get_protocol(), context, server_side=True
                )
            if transport is None or self._input_ended:
                raise ConnectionResetError("connection closed during the TLS handshake")
        except OSError:
            self.close()
            self.is_lost = True  # some failures are not followed by `connection_lost`
            raise
        self._transport = transport
        self._deadline.enter_busy()
        if self.pauses:
            transport.pause_reading()
        tls: ssl.SSLObject = transport.get_extra_info("ssl_object")
        cipher = tls.cipher()
        return f"{tls.version()} {cipher[0]}" if cipher else f"{tls.version()}"

    def close(self, last: bytes = b"") -> None:
        """Sends the queued bytes and `last`, closes the connection and wakes the task.

        During a TLS handshake, aborts the connection without sending.
        """
        phase = self._deadline.phase
        if phase is CLOSING:
            return
        if phase is HANDSHAKE:
            self._transport.abort()  # nothing in clear may be sent inside a handshake
        elif not self._transport.is_closing():
            if last:
                self._output.append(last)
            self._write_output()
            self._transport.close()
        self._deadline.enter(CLOSING, self._loop.time())
        self._end_input()

    def abort(self) -> None:
        self._transport.abort()

    def now(self) -> float:
        return self._loop.time()

    # Internal.

    def _is_receiving(self) -> bool:
        return self._sink is not None and not self._input_ended

    def _feed(self, sink: Sink, data: bytes) -> None:
        following = sink.feed(data)
        if following is not None:
            self._sink = None
            self._buffer(following)

    def _buffer(self, data: bytes) -> None:
        buffer = self.lines.buffer
        buffer += data
        if len(buffer) > self._bounds.command_buffer_bytes:
            self.pause(PauseReason.BUFFER)

    def _resume_buffer(self) -> None:
        if len(self.lines.buffer) <= self._bounds.command_buffer_bytes:
            self.resume(PauseReason.BUFFER)

    def _end_input(self) -> None:
        self._input_ended = True
        self._wakeup.set()

    def _write_output(self) -> None:
        if self._output and not self._transport.is_closing():
            self._transport.write(b"".join(self._output))
        self._output.clear()

    def _throttle_reading(self, nbytes: int) -> None:
        if self._throttle_timer is None:
            now = self._loop.time()
            self.pause(PauseReason.THROTTLE)
            self._throttle_timer = self._loop.call_later(self._throttle.next_pause(nbytes, now), self._end_throttle)

    def _end_throttle(self) -> None:
        self._throttle_timer = None
        self.resume(PauseReason.THROTTLE)

    def _stop_throttle(self) -> None:
        if self._throttle_timer is not None:
            self._throttle_timer.cancel()
            self._throttle_timer = None
