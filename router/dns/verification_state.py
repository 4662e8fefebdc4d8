"""The verification state of a domain after a DNS check, and the time of the next check. Pure.

Misses make a verified domain unverified only if they repeat over several days. A miss is a recheck that definitely
found no correct record. Therefore one wrong answer does not stop mail for the domain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from router.clock import SECOND
from router.dns.verification import VerificationResult
from router.enumerations import DomainStatus
from router.model import Micros

DAY: Micros = 86_400 * SECOND
MAX_MISSES = 5
MIN_MISSING_TIME: Micros = 4 * DAY
# The first miss may be a change in progress.
ALERT_MISSES = 2
# These intervals replace a longer `[dns] recheck_interval`: after a miss, and for a new unverified domain.
MISSING_RECHECK_INTERVAL: Micros = DAY // 2
NEW_RECHECK_INTERVAL: Micros = 900 * SECOND
NEW_DOMAIN_AGE: Micros = 2 * DAY
JITTER = 0.1

Change = Literal["", "verified", "failing", "recovered", "unverified"]


@dataclass(frozen=True, slots=True)
class VerificationState:
    """The verification state of a domain; `change` is the transition to report, or `""`."""

    status: DomainStatus
    misses: int = 0
    missing_since: Micros | None = None
    change: Change = ""


def next_state(
    state: VerificationState, result: VerificationResult, now: Micros, *, counts_misses: bool
) -> VerificationState:
    """Returns the state after a check. `counts_misses` is false for a check that a user started."""
    if state.status == "pending_verification":
        return (
            VerificationState("active", change="verified")
            if result.is_verified
            else VerificationState("pending_verification")
        )
    if result.has_correct_record:
        return VerificationState("active", change="recovered" if state.misses >= ALERT_MISSES else "")
    if not result.is_definitely_missing or not counts_misses:
        return VerificationState("active", state.misses, state.missing_since)
    misses = state.misses + 1
    missing_since = now if state.missing_since is None else min(state.missing_since, now)
    if misses >= MAX_MISSES and now - missing_since >= MIN_MISSING_TIME:
        return VerificationState("pending_verification", change="unverified")
    return VerificationState("active", misses, missing_since, change="failing" if misses == ALERT_MISSES else "")


def next_check_at(
    state: VerificationState, now: Micros, *, created_at: Micros, interval: Micros, jitter: float
) -> Micros:
    """Returns the time of the next check.

    Args:
        interval: `[dns] recheck_interval`.
        jitter: A random number in [0, 1) that spreads the checks of many domains.
    """
    delay = interval
    if state.misses:
        delay = min(interval, MISSING_RECHECK_INTERVAL)
    elif state.status == "pending_verification" and now - created_at < NEW_DOMAIN_AGE:
        delay = min(interval, NEW_RECHECK_INTERVAL)
    return now + round(delay * (1 + JITTER * (2 * jitter - 1)))
