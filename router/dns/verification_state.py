"""How long a domain stays verified when its records change, and when it is looked at again. Pure.

The rule: mail must not be turned away for one answer of one name server, nor because somebody tidied up a record that
was only needed once. A verified domain stays verified while either of its records is right; it stops being so only
after `MISSES` rechecks in a row, over at least `PATIENCE`, that each found definitely neither. An answer that could not
be had counts for nothing. A check that a person asks for never counts as a miss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from router.clock import SECOND
from router.dns.verification import VerificationResult
from router.model import DomainStatus, Micros

DAY: Micros = 86_400 * SECOND
MAX_MISSES = 5
MIN_MISSING_TIME: Micros = 4 * DAY
# The first miss is often the moment of a change; at the second the people concerned hear of it.
ALERT_MISSES = 2
# A domain in doubt is looked at at least so often, one that was just added oftener still.
MISSING_RECHECK_INTERVAL: Micros = DAY // 2
NEW_RECHECK_INTERVAL: Micros = 900 * SECOND
NEW_DOMAIN_AGE: Micros = 2 * DAY
JITTER = 0.1

Change = Literal["", "verified", "doubted", "trusted", "unverified"]


@dataclass(frozen=True, slots=True)
class VerificationState:
    """change: what has happened, `""` for nothing that anybody needs to hear of."""

    status: DomainStatus
    misses: int = 0
    missing_since: Micros | None = None
    change: Change = ""


def next_state(
    state: VerificationState, result: VerificationResult, now: Micros, *, counts_misses: bool
) -> VerificationState:
    """The standing after a check. counts: it was a recheck, whose misses count."""
    if state.status == "pending_verification":
        return (
            VerificationState("active", change="verified")
            if result.is_verified
            else VerificationState("pending_verification")
        )
    if result.has_correct_record:
        return VerificationState("active", change="trusted" if state.misses >= ALERT_MISSES else "")
    if not result.is_definitely_missing or not counts_misses:
        return VerificationState("active", state.misses, state.missing_since)
    misses = state.misses + 1
    missing_since = now if state.missing_since is None else min(state.missing_since, now)
    if misses >= MAX_MISSES and now - missing_since >= MIN_MISSING_TIME:
        return VerificationState("pending_verification", change="unverified")
    return VerificationState("active", misses, missing_since, change="doubted" if misses == ALERT_MISSES else "")


def next_check_at(
    state: VerificationState, now: Micros, *, created_at: Micros, interval: Micros, jitter: float
) -> Micros:
    """When to look again. interval: `[dns] recheck_interval`; jitter in [0, 1): domains must not come all at once."""
    delay = interval
    if state.misses:
        delay = min(interval, MISSING_RECHECK_INTERVAL)
    elif state.status == "pending_verification" and now - created_at < NEW_DOMAIN_AGE:
        delay = min(interval, NEW_RECHECK_INTERVAL)
    return now + round(delay * (1 + JITTER * (2 * jitter - 1)))
