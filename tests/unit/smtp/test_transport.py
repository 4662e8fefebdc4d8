"""When the transport reads, and which pauses count towards time limits."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, cast
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtp.data import DataReader
from smtp.deadline import Deadline, Phase
from smtp.memory import MemoryQuota
from smtp.reception import Reception
from smtp.throttle import DiscardThrottle
from smtp.transport import PauseReason, Transport
from tests.support.smtp_doubles import make_bounds


class FakeTransport(asyncio.Transport):
    """A stand-in for the asyncio transport. It must not be paused twice, or resumed twice."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = True
        self.closing = False
        self.written = b""

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def write(self, data: Any) -> None:
        assert not self.closing
        self.written += data

    def get_protocol(self) -> asyncio.BaseProtocol:
        return asyncio.Protocol()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self if name == "ssl_object" else default

    def version(self) -> str:
        return "TLSv1.3"

    def cipher(self) -> None:
        return None


@dataclass
class Timer:
    when: float
    callback: Callable[[], None]
    done: bool = False

    def cancel(self) -> None:
        self.done = True


class CompletedFuture:
    """A completed future. Awaiting it suspends the coroutine once, until the test resumes the coroutine."""

    def done(self) -> bool:
        return True

    def __await__(self) -> Generator[None, None, None]:
        yield


class FakeLoop:
    """The parts of an event loop that `Transport` uses."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.during: Callable[[], None] = lambda: None
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        timer = Timer(self.now + delay, callback)
        self.timers.append(timer)
        return timer

    async def start_tls(
        self, transport: FakeTransport, _protocol: Any, _context: Any, *, server_side: bool
    ) -> FakeTransport:
        """Returns a transport that is reading. Calls `during` in the middle of the handshake."""
        assert server_side
        assert transport.reading
        self.during()
        return FakeTransport()

    def create_future(self) -> CompletedFuture:
        return CompletedFuture()

    def advance(self, seconds: float) -> None:
        self.now += seconds
        for timer in self.timers:
            if timer.when <= self.now and not timer.done:
                timer.done = True
                timer.callback()


def make_transport(**changes: Any) -> tuple[Transport, FakeTransport, Deadline, FakeLoop]:
    limits = make_bounds(**changes)
    wire, clock, deadline = FakeTransport(), FakeLoop(), Deadline(limits)
    transport = Transport(cast("asyncio.AbstractEventLoop", clock), deadline, DiscardThrottle(limits), limits)
    transport.connection_made(wire)
    return transport, wire, deadline, clock


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(PauseReason)), max_size=40))
def test_reads_exactly_while_no_pause_reason_is_set(steps: list[tuple[bool, PauseReason]]) -> None:
    transport, wire, _, _ = make_transport()
    reasons: set[PauseReason] = set()
    for pauses, reason in steps:
        if pauses:
            transport.pause(reason)
            reasons.add(reason)
        else:
            transport.resume(reason)
            reasons.discard(reason)
        assert transport.pauses == reasons
        assert wire.reading is not bool(reasons)


def test_closing_connection_is_neither_paused_nor_resumed() -> None:
    transport, wire, _, _ = make_transport()
    transport.pause(PauseReason.MEMORY)
    wire.closing = True
    transport.resume(PauseReason.MEMORY)
    transport.pause(PauseReason.THROTTLE)
    assert not wire.reading


def test_full_command_buffer_pauses_reading() -> None:
    transport, wire, _, _ = make_transport(command_buffer_bytes=100)
    transport.data_received(b"NOOP\r\n" * 16)
    assert wire.reading
    transport.data_received(b"NOOP\r\n")
    assert transport.pauses == {PauseReason.BUFFER}
    assert not wire.reading


def test_discarded_content_is_throttled_and_the_pause_does_not_count() -> None:
    transport, wire, deadline, clock = make_transport(max_message_bytes=10, min_discard_pause=4.0, data_timeout=6.0)
    reception = Reception(MemoryQuota(make_bounds()), "192.0.2.1", transport, make_bounds(max_message_bytes=10))
    receiving = reception.read(DataReader(reception.content), last=True)
    receiving.send(None)
    assert deadline.phase is Phase.CONTENT
    for _ in range(5):
        transport.data_received(b"x" * 100)
        assert transport.pauses == {PauseReason.THROTTLE}
        clock.advance(3.9)
        assert deadline.expiry_reply(clock.now + 1e6, 300.0, 0) is None
        assert not wire.reading
        clock.advance(0.1)
        assert wire.reading
    assert deadline.expiry_reply(clock.now + 5.9, 300.0, 10**9) is None
    assert deadline.expiry_reply(clock.now + 6.0, 300.0, 10**9) is not None
    receiving.close()


async def test_handshake_ends_a_throttle_pause() -> None:
    transport, _, _, clock = make_transport(min_discard_pause=4.0, max_message_bytes=10)
    reception = Reception(MemoryQuota(make_bounds()), "192.0.2.1", transport, make_bounds(max_message_bytes=10))
    receiving = reception.read(DataReader(reception.content), last=True)
    receiving.send(None)
    transport.data_received(b"x" * 100)
    clock.advance(3.0)
    await transport.start_tls(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    assert not transport.pauses
    transport.data_received(b"x" * 100)
    clock.advance(3.0)
    assert transport.pauses == {PauseReason.THROTTLE}, "the timer of an earlier pause does not end the current pause"
    clock.advance(1.0)
    assert not transport.pauses
    receiving.close()


async def test_pause_during_a_handshake_applies_after_it() -> None:
    """During the handshake the TLS transport of asyncio must read, so it must not be paused."""
    transport, wire, _, clock = make_transport(command_buffer_bytes=100)

    def decrypted() -> None:
        transport.data_received(b"NOOP\r\n" * 20)
        assert transport.pauses == {PauseReason.BUFFER}
        assert wire.reading

    clock.during = decrypted
    transport.data_received(b"NOOP\r\n" * 20)
    assert not wire.reading
    assert await transport.start_tls(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)) == "TLSv1.3"
    secured = cast("FakeTransport", transport._transport)
    assert secured is not wire
    assert not secured.reading
    assert len(transport.lines.buffer) == 120, "bytes sent in clear are discarded"


def test_complete_mail_does_not_wait() -> None:
    """Bytes that arrive although reading is paused may contain the end of the message."""
    limits = make_bounds(max_memory_bytes=190_000, max_message_bytes=100_000)
    transport, wire, deadline, _ = make_transport()
    quota: MemoryQuota[Reception] = MemoryQuota(limits)
    older = Reception(quota, None, make_transport()[0], limits)
    quota.reserve(older, 99_000)
    reception = Reception(quota, None, transport, limits)
    receiving = reception.read(DataReader(reception.content), last=True)
    receiving.send(None)
    transport.data_received(b"x" * 99_998 + b"\r\n")
    assert transport.pauses == {PauseReason.MEMORY}
    transport.data_received(b".\r\n")
    assert deadline.phase is Phase.BUSY, "no time limit can end a complete mail"
    with pytest.raises(StopIteration) as ended:
        receiving.send(None)
    assert ended.value.value is True
    assert wire.reading
    assert (quota.waiting_mails, quota.reserved_bytes) == (0, 199_000)


def test_one_failing_resume_does_not_stop_the_others() -> None:
    limits = make_bounds(max_memory_bytes=2_000_000, max_message_bytes=1_000_000)
    quota: MemoryQuota[Reception] = MemoryQuota(limits)
    connections = [make_transport() for _ in range(4)]
    mails = [Reception(quota, None, transport, limits) for transport, *_ in connections]
    for mail, size in zip(mails, (990_000, 340_000, 340_000, 340_000), strict=True):
        for waiting in quota.reserve(mail, size):
            waiting.pause()
    assert [wire.reading for _, wire, *_ in connections] == [True, False, False, False]
    failing = connections[1][1]
    failing.resume_reading = Mock(side_effect=RuntimeError("a transport in an unexpected state"))  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="unexpected state"):
        mails[0].release()
    assert [wire.reading for _, wire, *_ in connections[2:]] == [True, True]


def test_command_time_of_the_peer_adds_up() -> None:
    transport, _, deadline, clock = make_transport()
    for _ in range(3):
        reading = transport.read_line()
        reading.send(None)
        clock.advance(50.0)
        transport.data_received(b"NOOP\r\n")
        with pytest.raises(StopIteration):
            reading.send(None)
        assert deadline.phase is Phase.BUSY
        clock.advance(1000.0)
    assert deadline.command_time == 150.0


async def test_closed_connection_starts_no_handshake() -> None:
    transport, _, _, loop = make_transport()
    handshake = Mock(side_effect=ConnectionResetError)
    loop.start_tls = handshake  # type: ignore[method-assign]
    transport.close()
    with pytest.raises(ConnectionResetError):
        await transport.start_tls(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    assert not handshake.called


def test_close_sends_queued_replies_once() -> None:
    transport, wire, deadline, _ = make_transport()
    transport.write(b"250 Ok\r\n")
    transport.close(b"421 Bye\r\n")
    transport.close(b"not sent\r\n")
    assert (wire.written, wire.closing, deadline.phase) == (b"250 Ok\r\n421 Bye\r\n", True, Phase.CLOSING)


def feed_reception(limit: int, *pieces: bytes) -> tuple[Reception, bytes | None, MemoryQuota[Reception]]:
    transport, _, _, _ = make_transport()
    quota: MemoryQuota[Reception] = MemoryQuota(make_bounds())
    limits = make_bounds(max_message_bytes=limit, max_discarded_bytes=1000)
    reception = Reception(quota, "192.0.2.1", transport, limits)
    reception._reader = DataReader(reception.content)
    following = None
    for piece in pieces:
        assert following is None
        following = reception.feed(piece)
    return reception, following, quota


def test_reception_releases_its_memory_once() -> None:
    reception, following, quota = feed_reception(1000, b"one\r\n", b"two\r\n.\r\nQUIT\r\n")
    assert (following, reception.content.getvalue(), quota.reserved_bytes) == (b"QUIT\r\n", b"one\r\ntwo\r\n", 10)
    other, _, _ = feed_reception(1000)
    quota.reserve(other, 7)
    with reception:
        assert quota.reserved_bytes == 17
    reception.release()
    assert quota.reserved_bytes == 7
    assert reception.content.is_discarded


def test_too_large_mail_releases_its_memory_at_once() -> None:
    reception, following, quota = feed_reception(10, b"x" * 10, b"y")
    assert (following, reception.content.is_too_large, reception.is_discarding, quota.is_unused) == (
        None,
        True,
        True,
        True,
    )
    assert not reception.is_endless


def test_endless_mail_is_abandoned() -> None:
    reception, following, quota = feed_reception(10, b"x" * 1010, b"yy")
    assert (following, reception.is_endless, quota.is_unused) == (b"", True, True)
