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
from router.dns.verification import Verdict
from router.model import DomainStatus, Micros

DAY: Micros = 86_400 * SECOND
MISSES = 5
PATIENCE: Micros = 4 * DAY
# The first miss is often the moment of a change; at the second the people concerned hear of it.
TOLD_AT = 2
# A domain in doubt is looked at at least so often, one that was just added oftener still.
IN_DOUBT: Micros = DAY // 2
JUST_ADDED: Micros = 900 * SECOND
NEW_FOR: Micros = 2 * DAY
JITTER = 0.1

Change = Literal["", "verified", "doubted", "trusted", "unverified"]


@dataclass(frozen=True, slots=True)
class Standing:
    """change: what has happened, `""` for nothing that anybody needs to hear of."""

    status: DomainStatus
    misses: int = 0
    missing_since: Micros | None = None
    change: Change = ""


def after(before: Standing, verdict: Verdict, now: Micros, *, counts: bool) -> Standing:
    """The standing after a check. counts: it was a recheck, whose misses count."""
    if before.status == "pending_verification":
        return Standing("active", change="verified") if verdict.verified else Standing("pending_verification")
    if verdict.stands:
        return Standing("active", change="trusted" if before.misses >= TOLD_AT else "")
    if not verdict.gone or not counts:
        return Standing("active", before.misses, before.missing_since)
    misses = before.misses + 1
    since = now if before.missing_since is None else min(before.missing_since, now)
    if misses >= MISSES and now - since >= PATIENCE:
        return Standing("pending_verification", change="unverified")
    return Standing("active", misses, since, change="doubted" if misses == TOLD_AT else "")


def next_check(standing: Standing, now: Micros, *, created_at: Micros, interval: Micros, jitter: float) -> Micros:
    """When to look again. interval: `[dns] recheck_interval`; jitter in [0, 1): domains must not come all at once."""
    wait = interval
    if standing.misses:
        wait = min(interval, IN_DOUBT)
    elif standing.status == "pending_verification" and now - created_at < NEW_FOR:
        wait = min(interval, JUST_ADDED)
    return now + round(wait * (1 + JITTER * (2 * jitter - 1)))
