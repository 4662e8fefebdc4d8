"""`smtp.deadline` alone: each phase has its limit, and time in which the server does not read never counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtp import replies
from smtp.deadline import Deadline, Phase
from smtp.replies import Reply
from tests.support.smtp_doubles import bounds

LIMITS = bounds(data_timeout=120.0, min_data_rate=1000, proxy_header_timeout=10.0, closing_timeout=10.0)
COMMAND_TIMEOUT = 300.0


def started(phase: Phase, now: float = 1000.0) -> Deadline:
    deadline = Deadline(LIMITS)
    deadline.enter(phase, now)
    return deadline


def expired(deadline: Deadline, now: float, received: int = 0) -> Reply | None:
    return deadline.expiry_reply(now, COMMAND_TIMEOUT, received)


@pytest.mark.parametrize(
    ("phase", "limit"),
    [
        (Phase.COMMAND, 300.0),
        (Phase.PROXY_HEADER, 10.0),
        (Phase.CLOSING, 10.0),
        (Phase.CONTENT, 120.0),
    ],
)
def test_a_phase_expires_at_its_limit(phase: Phase, limit: float) -> None:
    deadline = started(phase)
    assert expired(deadline, 1000.0 + limit - 0.001) is None
    assert expired(deadline, 1000.0 + limit) is replies.TIMEOUT


@pytest.mark.parametrize("phase", [Phase.BUSY, Phase.HANDSHAKE])
def test_our_own_time_never_expires(phase: Phase) -> None:
    assert expired(started(phase), 1e9) is None
    assert expired(Deadline(LIMITS), 1e9) is None


def test_less_time_for_a_command_while_connections_are_scarce() -> None:
    deadline = started(Phase.COMMAND)
    assert deadline.expiry_reply(1010.0, 10.0, 0) is replies.TIMEOUT
    assert deadline.expiry_reply(1010.0, 300.0, 0) is None


def test_the_rate_counts_from_the_data_timeout_on() -> None:
    deadline = started(Phase.CONTENT)
    deadline.last_byte = 1119.0
    assert expired(deadline, 1119.9, received=0) is None, "a pause that data_timeout permits"
    deadline.last_byte = 1120.0
    assert expired(deadline, 1120.0, received=119_999) is replies.TOO_SLOW
    assert expired(deadline, 1120.0, received=120_000) is None


def test_silence_is_a_timeout_whatever_the_rate() -> None:
    deadline = started(Phase.CONTENT)
    deadline.last_byte = 1100.0
    assert expired(deadline, 1219.9, received=10**9) is None
    assert expired(deadline, 1220.0, received=10**9) is replies.TIMEOUT


def test_a_pause_of_the_server_does_not_count() -> None:
    deadline = started(Phase.CONTENT)
    deadline.suspend(1050.0)
    deadline.suspend(1060.0)  # a second reason changes nothing
    assert expired(deadline, 1e9) is None
    deadline.resume(2050.0)
    deadline.resume(2060.0)
    assert expired(deadline, 2050.0 + 69.9) is None
    assert expired(deadline, 2050.0 + 70.0) is replies.TIMEOUT


def test_a_pause_does_not_extend_a_command() -> None:
    """One limit for the whole line, also while it is discarded."""
    deadline = started(Phase.COMMAND)
    deadline.suspend(1000.0)
    assert expired(deadline, 1300.0) is replies.TIMEOUT
    deadline.resume(1299.0)
    assert expired(deadline, 1300.0) is replies.TIMEOUT


def test_a_pause_that_began_before_the_content_counts_from_its_start() -> None:
    deadline = started(Phase.COMMAND)
    deadline.suspend(1000.0)
    deadline.enter(Phase.CONTENT, 1100.0)
    deadline.resume(1150.0)
    assert expired(deadline, 1150.0 + 119.9, received=10**9) is None
    assert expired(deadline, 1150.0 + 120.0, received=10**9) is replies.TIMEOUT


def test_closing_is_final() -> None:
    deadline = started(Phase.CLOSING)
    deadline.enter(Phase.COMMAND, 1009.0)
    deadline.enter_busy()
    assert deadline.phase is Phase.CLOSING
    assert expired(deadline, 1010.0) is replies.TIMEOUT


def test_the_commands_of_a_mail_have_a_limit_together() -> None:
    """Each in its time, and no mail: the peer would keep its connection for ever."""
    deadline = started(Phase.COMMAND)
    deadline.command_time = 650.0
    assert expired(deadline, 1249.9) is None
    assert expired(deadline, 1250.0) is replies.SESSION_TIMEOUT
    assert deadline.expiry_reply(1010.0, 10.0, 0) is replies.TIMEOUT
    assert deadline.expiry_reply(1001.0, 10.0, 0) is replies.SESSION_TIMEOUT
    deadline.command_time = 0.0
    assert expired(deadline, 1299.9) is None


def test_all_chunks_of_a_mail_have_one_average_rate() -> None:
    """A byte in each chunk, in less than data_timeout, is too slow."""
    deadline, now = Deadline(LIMITS), 1000.0
    for _ in range(2):
        deadline.enter(Phase.CONTENT, now)
        deadline.last_byte = now = now + 50.0
        deadline.enter_busy()
        deadline.enter(Phase.COMMAND, now)
        now += 1000.0  # which is not the content's
    deadline.enter(Phase.CONTENT, now)
    assert expired(deadline, now + 19.9, received=3) is None
    assert expired(deadline, now + 20.0, received=3) is replies.TOO_SLOW
    assert expired(deadline, now + 20.0, received=120_000) is None
    deadline.enter_busy()
    deadline.start_mail()
    deadline.enter(Phase.CONTENT, now)
    assert expired(deadline, now + 119.9, received=3) is None


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=30))
def test_content_expires_after_so_much_time_of_reading(steps: list[tuple[float, bool]]) -> None:
    """However often and long the server pauses: only the time in between counts."""
    deadline, now, reading = started(Phase.CONTENT), 1000.0, 0.0
    for elapsed, paused in steps:
        if paused:
            deadline.suspend(now)
            now += elapsed
            assert expired(deadline, now) is None
            deadline.resume(now)
        else:
            now += elapsed
            reading += elapsed
        if abs(reading - 120.0) > 1e-6:
            assert (expired(deadline, now) is not None) == (reading >= 120.0)
