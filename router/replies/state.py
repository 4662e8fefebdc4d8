"""The state of a reply, which is that of its recipients. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from router.enumerations import ReplyState

# The state of a reply is the first one of these that a recipient has: what a person must act on comes first.
_WORST_FIRST: tuple[ReplyState, ...] = (
    "failed",
    "bounced",
    "sending",
    "retrying",
    "queued",
    "delayed",
    "sent",
    "canceled",
)


def aggregate(states: Iterable[ReplyState]) -> ReplyState:
    """Returns the state of a reply whose recipients have these states. Raises ValueError without a recipient."""
    return min(states, key=_WORST_FIRST.index)
