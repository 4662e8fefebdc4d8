"""What a check policy would have done to messages that were checked already. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from router.checks.decision import decide
from router.checks.policy import CheckPolicy
from router.checks.results import MessageChecks


@dataclass(frozen=True, slots=True)
class CheckedMessage:
    """The results of a message in a ticket. `opens` is whether it opened the ticket: only then it can be spam."""

    checks: MessageChecks
    policy: CheckPolicy
    opens: bool


@dataclass(frozen=True, slots=True)
class CheckEffect:
    """Numbers of messages: all, those that would be held as spam, and those that would get a warning."""

    messages: int
    held: int
    warned: int


def count_effect(messages: Iterable[CheckedMessage]) -> CheckEffect:
    """Counts what would follow from the results that are stored, also of allowed and blocked senders."""
    counted = held = warned = 0
    for message in messages:
        decision = decide(message.checks.facts, message.checks.spam, message.policy)
        counted += 1
        held += bool(decision.spam_reason and message.opens)
        warned += bool(decision.warning or (decision.spam_reason and not message.opens))
    return CheckEffect(counted, held, warned)
