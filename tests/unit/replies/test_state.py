"""The state of a reply from those of its recipients."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.enumerations import ReplyState
from router.replies.state import aggregate

STATES: tuple[ReplyState, ...] = get_args(ReplyState)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["sent", "sent"], "sent"),
        (["sent", "delayed"], "delayed"),
        (["sent", "queued", "delayed"], "queued"),
        (["queued", "retrying"], "retrying"),
        (["retrying", "sending"], "sending"),
        (["sending", "bounced"], "bounced"),
        (["bounced", "failed", "sent"], "failed"),
        (["canceled", "sent"], "sent"),
        (["canceled", "canceled"], "canceled"),
    ],
)
def test_the_worst_state_counts(states: list[ReplyState], expected: ReplyState) -> None:
    assert aggregate(states) == expected


@given(st.lists(st.sampled_from(STATES), min_size=1))
def test_any_order_gives_the_state_of_a_recipient(states: list[ReplyState]) -> None:
    assert aggregate(states) in states
    assert aggregate(states) == aggregate(reversed(states))


def test_every_state_has_a_rank() -> None:
    assert {aggregate([each]) for each in STATES} == set(STATES)


def test_a_reply_without_recipients_is_an_error() -> None:
    with pytest.raises(ValueError, match="empty"):
        aggregate([])
