"""A phase expires at its time limit. While content is received, pauses by the server do not count."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtp import replies
from smtp.deadline import Deadline, Phase
from smtp.replies import Reply
from tests.support.smtp_doubles import make_bounds

LIMITS = make_bounds(data_timeout=120.0, min_data_rate=1000, proxy_header_timeout=10.0, closing_timeout=10.0)
COMMAND_TIMEOUT = 300.0


def make_deadline(phase: Phase, now: float = 1000.0) -> Deadline:
    deadline = Deadline(LIMITS)
    deadline.enter(phase, now)
    return deadline


def expiry_reply(deadline: Deadline, now: float, received: int = 0) -> Reply | None:
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
def test_phase_expires_at_its_limit(phase: Phase, limit: float) -> None:
    deadline = make_deadline(phase)
    assert expiry_reply(deadline, 1000.0 + limit - 0.001) is None
    assert expiry_reply(deadline, 1000.0 + limit) is replies.TIMEOUT


@pytest.mark.parametrize("phase", [Phase.BUSY, Phase.HANDSHAKE])
def test_busy_and_handshake_never_expire(phase: Phase) -> None:
    assert expiry_reply(make_deadline(phase), 1e9) is None
    assert expiry_reply(Deadline(LIMITS), 1e9) is None


def test_command_timeout_is_an_argument() -> None:
    deadline = make_deadline(Phase.COMMAND)
    assert deadline.expiry_reply(1010.0, 10.0, 0) is replies.TIMEOUT
    assert deadline.expiry_reply(1010.0, 300.0, 0) is None


def test_minimum_rate_applies_after_data_timeout() -> None:
    deadline = make_deadline(Phase.CONTENT)
    deadline.last_byte = 1119.0
    assert expiry_reply(deadline, 1119.9, received=0) is None, "a silence shorter than data_timeout"
    deadline.last_byte = 1120.0
    assert expiry_reply(deadline, 1120.0, received=119_999) is replies.TOO_SLOW
    assert expiry_reply(deadline, 1120.0, received=120_000) is None


def test_silence_expires_at_any_rate() -> None:
    deadline = make_deadline(Phase.CONTENT)
    deadline.last_byte = 1100.0
    assert expiry_reply(deadline, 1219.9, received=10**9) is None
    assert expiry_reply(deadline, 1220.0, received=10**9) is replies.TIMEOUT


def test_suspended_time_does_not_count() -> None:
    deadline = make_deadline(Phase.CONTENT)
    deadline.suspend(1050.0)
    deadline.suspend(1060.0)
    assert expiry_reply(deadline, 1e9) is None
    deadline.resume(2050.0)
    deadline.resume(2060.0)
    assert expiry_reply(deadline, 2050.0 + 69.9) is None
    assert expiry_reply(deadline, 2050.0 + 70.0) is replies.TIMEOUT


def test_suspending_does_not_extend_a_command() -> None:
    deadline = make_deadline(Phase.COMMAND)
    deadline.suspend(1000.0)
    assert expiry_reply(deadline, 1300.0) is replies.TIMEOUT
    deadline.resume(1299.0)
    assert expiry_reply(deadline, 1300.0) is replies.TIMEOUT


def test_suspension_from_before_the_content_counts_from_its_start() -> None:
    deadline = make_deadline(Phase.COMMAND)
    deadline.suspend(1000.0)
    deadline.enter(Phase.CONTENT, 1100.0)
    deadline.resume(1150.0)
    assert expiry_reply(deadline, 1150.0 + 119.9, received=10**9) is None
    assert expiry_reply(deadline, 1150.0 + 120.0, received=10**9) is replies.TIMEOUT


def test_closing_is_final() -> None:
    deadline = make_deadline(Phase.CLOSING)
    deadline.enter(Phase.COMMAND, 1009.0)
    deadline.enter_busy()
    assert deadline.phase is Phase.CLOSING
    assert expiry_reply(deadline, 1010.0) is replies.TIMEOUT


def test_all_commands_of_a_mail_share_a_limit() -> None:
    """Without this limit, each of these commands could take a whole command timeout."""
    deadline = make_deadline(Phase.COMMAND)
    deadline.command_time = 650.0
    assert expiry_reply(deadline, 1249.9) is None
    assert expiry_reply(deadline, 1250.0) is replies.SESSION_TIMEOUT
    assert deadline.expiry_reply(1010.0, 10.0, 0) is replies.TIMEOUT
    assert deadline.expiry_reply(1001.0, 10.0, 0) is replies.SESSION_TIMEOUT
    deadline.command_time = 0.0
    assert expiry_reply(deadline, 1299.9) is None


def test_all_chunks_of_a_mail_share_one_average_rate() -> None:
    deadline, now = Deadline(LIMITS), 1000.0
    for _ in range(2):
        deadline.enter(Phase.CONTENT, now)
        deadline.last_byte = now = now + 50.0
        deadline.enter_busy()
        deadline.enter(Phase.COMMAND, now)
        now += 1000.0
    deadline.enter(Phase.CONTENT, now)
    assert expiry_reply(deadline, now + 19.9, received=3) is None
    assert expiry_reply(deadline, now + 20.0, received=3) is replies.TOO_SLOW
    assert expiry_reply(deadline, now + 20.0, received=120_000) is None
    deadline.enter_busy()
    deadline.start_mail()
    deadline.enter(Phase.CONTENT, now)
    assert expiry_reply(deadline, now + 119.9, received=3) is None


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=30))
def test_only_reading_time_counts_for_content(steps: list[tuple[float, bool]]) -> None:
    deadline, now, reading = make_deadline(Phase.CONTENT), 1000.0, 0.0
    for elapsed, paused in steps:
        if paused:
            deadline.suspend(now)
            now += elapsed
            assert expiry_reply(deadline, now) is None
            deadline.resume(now)
        else:
            now += elapsed
            reading += elapsed
        if abs(reading - 120.0) > 1e-6:
            assert (expiry_reply(deadline, now) is not None) == (reading >= 120.0)
