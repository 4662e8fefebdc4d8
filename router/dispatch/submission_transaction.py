"""The transaction of the mail for smarthosts, for everything that a process records or asks at once.

It is a statement generator (`router.store.database`). It locks tickets in the order of their ids, then smarthosts,
deliveries and attempts. A claim never waits for a ticket: otherwise, a locked one would hold the mail of all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from router.dispatch.submission_claim import (
    ClaimableMails,
    begin_submissions,
    find_candidates,
    park_and_unpark,
    postpone_over_limit,
)
from router.dispatch.submission_outcome import record_ends
from router.dispatch.submission_work import (
    FINAL_LEASE,
    ClaimResult,
    CompletedSubmission,
    LeaseRenewal,
    Recorded,
    SubmissionClaim,
    SubmissionLimits,
)
from router.model import Micros
from router.store.database import Statement, StatementGenerator

SubmissionItem = SubmissionClaim | LeaseRenewal | CompletedSubmission
# Of a renewal, whether the lease is held.
SubmissionResult = ClaimResult | Recorded | bool


def write_submissions(
    items: Sequence[SubmissionItem], now: Micros, owner: str, limits: SubmissionLimits
) -> StatementGenerator[list[SubmissionResult]]:
    """Claims mail, renews leases and records outcomes; returns the result of each item, in their order.

    Of several claims, only the first one gets mail.
    """
    completed = [each for each in items if isinstance(each, CompletedSubmission)]
    renewals = [each for each in items if isinstance(each, LeaseRenewal)]
    claim = next((each for each in items if isinstance(each, SubmissionClaim)), None)
    candidates = ClaimableMails() if claim is None else (yield from find_candidates(claim, now, limits))
    tickets = {each.submission.ticket_id for each in completed}
    yield Statement("submission_lock_tickets", [{"ticket_id": each} for each in sorted(tickets)])
    candidates = yield from _lock_free(candidates)
    smarthosts = {each.submission.smarthost_id for each in completed} | {
        each.smarthost.id for each in candidates.deliveries if each.is_probe
    }
    locked = yield Statement("submission_lock_smarthost", [{"id": each} for each in sorted(smarthosts)])
    recorded = yield from record_ends(completed, locked, now, limits)
    held = yield from _renew(renewals, now, limits)
    yield from park_and_unpark(candidates.smarthosts, now)
    claimed = yield from begin_submissions(candidates.deliveries, now, owner, limits)
    yield from postpone_over_limit(candidates.over_limit)
    results: dict[int, SubmissionResult] = {id(item): ClaimResult() for item in items}
    results |= {id(each): result for each, result in zip(completed, recorded, strict=True)}
    results |= {id(each): (each.submission.delivery_id, each.submission.n) in held for each in renewals}
    if claim is not None:
        results[id(claim)] = claimed
    return [results[id(item)] for item in items]


def _lock_free(candidates: ClaimableMails) -> StatementGenerator[ClaimableMails]:
    """Locks the tickets of the candidates; omits those that other transactions have locked, for the next claim."""
    tickets = sorted({each.row["ticket_id"] for each in candidates.deliveries})
    rows = yield Statement("submission_lock_free_tickets", [{"ticket_id": each} for each in tickets])
    free = {row["id"] for row in rows}
    return replace(candidates, deliveries=[each for each in candidates.deliveries if each.row["ticket_id"] in free])


def _renew(
    renewals: Sequence[LeaseRenewal], now: Micros, limits: SubmissionLimits
) -> StatementGenerator[set[tuple[str, int]]]:
    """Extends leases; returns the deliveries and the numbers of the attempts that are held."""
    ordered = sorted(renewals, key=lambda each: each.submission.delivery_id)
    rows = yield Statement(
        "submission_renew",
        [
            {
                "delivery_id": each.submission.delivery_id,
                "n": each.submission.n,
                "until": now + (FINAL_LEASE if each.is_final else limits.lease),
            }
            for each in ordered
        ],
    )
    renewed = {row["id"] for row in rows}
    yield Statement(
        "submission_set_final_dot",
        [
            {"delivery_id": each.submission.delivery_id, "n": each.submission.n, "now": now}
            for each in ordered
            if each.is_final and each.submission.delivery_id in renewed
        ],
    )
    return {
        (each.submission.delivery_id, each.submission.n) for each in ordered if each.submission.delivery_id in renewed
    }
