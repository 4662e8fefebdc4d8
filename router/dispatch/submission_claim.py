"""Claims mail that is due at smarthosts, as statements of the transaction of submissions.

A claimed delivery is reserved until its lease ends, and its attempt is committed before anything is sent. When the
first recipient of a reply is claimed, the reply can no longer be undone: its ticket takes the status that its author
chose, unless a person has written to the ticket since.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from router.clock import SECOND
from router.dispatch import schedule
from router.dispatch.submission_states import FailedRecipient, ReplyChange, record_failures, update_replies
from router.dispatch.submission_work import PER_HOUR, ClaimResult, Submission, SubmissionClaim, SubmissionLimits
from router.enumerations import TicketStatus
from router.model import Micros, Smarthost
from router.replies.events import EventActor, ReplyEvent, record_reply_events, status_event_type
from router.replies.smarthosts import PARK_STEP
from router.search.indexing import index_stored
from router.store.database import Row, Statement, StatementGenerator, model_from_row

# The shortest time for which mail over the limit of its workspace waits, so that many mails cost few statements.
MIN_LIMIT_WAIT: Micros = 60 * SECOND


@dataclass(frozen=True, slots=True)
class ClaimableMail:
    """A delivery that may be claimed, and its smarthost."""

    row: Row
    smarthost: Smarthost

    @property
    def is_probe(self) -> bool:
        return self.smarthost.status == "failing"


@dataclass(frozen=True, slots=True)
class ClaimableMails:
    """What may be claimed, as it was before the tickets were locked.

    `over_limit` has the statements that postpone the mail of workspaces over their limit.
    """

    deliveries: Sequence[ClaimableMail] = ()
    smarthosts: Sequence[Smarthost] = ()
    over_limit: Sequence[Mapping[str, object]] = ()


def find_candidates(
    claim: SubmissionClaim, now: Micros, limits: SubmissionLimits
) -> StatementGenerator[ClaimableMails]:
    """Selects deliveries that may be claimed. Locks nothing."""
    latest = limits.latest_plausible(now)
    ready = yield Statement("submission_ready", [{"now": now, "latest_plausible": latest}])
    smarthosts = {row["id"]: model_from_row(Smarthost, row) for row in ready if claim.slots.get(row["id"], 0) > 0}
    due = yield Statement(
        "submission_due",
        [
            {"smarthost_id": each.id, "now": now, "limit": claim.slots[each.id]}
            for each in smarthosts.values()
            if each.status == "active"
        ],
    )
    probes = yield Statement(
        "submission_probe",
        [
            {"smarthost_id": each.id, "limit": PARK_STEP}
            for each in smarthosts.values()
            if each.status == "failing" and not now < (each.probe_at or 0) <= latest
        ],
    )
    candidates = [ClaimableMail(row, smarthosts[row["integration_id"]]) for row in (*due, *probes)]
    kept, over_limit = yield from _keep_within_limit(candidates, claim, now, limits)
    return ClaimableMails(kept, list(smarthosts.values()), over_limit)


def park_and_unpark(smarthosts: Sequence[Smarthost], now: Micros) -> StatementGenerator[None]:
    """Makes parked mail of active smarthosts due, and parks due mail of failing ones."""
    yield Statement(
        "smarthost_unpark",
        [{"id": each.id, "now": now, "limit": PARK_STEP} for each in smarthosts if each.status == "active"],
    )
    for smarthost in smarthosts:
        if smarthost.status == "failing":
            reason = f"waits: the mail server is failing: {smarthost.last_error}"
            parked = yield Statement(
                "submission_park",
                [{"smarthost_id": smarthost.id, "now": now, "limit": PARK_STEP, "reason": reason}],
            )
            yield from _explain(parked, reason)


def _explain(rows: Iterable[Row], reason: str) -> StatementGenerator[None]:
    yield Statement("submission_explain", [{"delivery_id": row["id"], "reason": reason} for row in rows])


def _keep_within_limit(
    candidates: Sequence[ClaimableMail], claim: SubmissionClaim, now: Micros, limits: SubmissionLimits
) -> StatementGenerator[tuple[Sequence[ClaimableMail], Sequence[Mapping[str, object]]]]:
    """Returns the candidates that their workspaces may send now, and what postpones the others."""
    if not limits.per_hour:
        return candidates, ()
    workspaces = sorted({each.row["workspace_id"] for each in candidates})
    rows = yield Statement(
        "submission_sent_count",
        [{"workspace_id": each, "since": now - PER_HOUR, "limit": limits.per_hour} for each in workspaces],
    )
    counts = {row["workspace_id"]: row for row in rows}
    free = {each: limits.per_hour - counts[each]["sent"] - claim.in_flight.get(each, 0) for each in workspaces}
    kept = []
    over_limit: dict[tuple[str, str], dict[str, object]] = {}
    for candidate in candidates:
        workspace_id = candidate.row["workspace_id"]
        if free[workspace_id] > 0:
            free[workspace_id] -= 1
            kept.append(candidate)
            continue
        count = counts[workspace_id]
        free_at = count["first_at"] + PER_HOUR if count["sent"] >= limits.per_hour else now
        over_limit[candidate.smarthost.id, workspace_id] = {
            "smarthost_id": candidate.smarthost.id,
            "workspace_id": workspace_id,
            "now": now,
            "until": max(free_at, now + MIN_LIMIT_WAIT),
            "reason": f"waits: this workspace sends at most {limits.per_hour:,} mails an hour ([outgoing] per_hour)",
            "limit": PARK_STEP,
        }
    return kept, [over_limit[key] for key in sorted(over_limit)]


def postpone_over_limit(over_limit: Sequence[Mapping[str, object]]) -> StatementGenerator[None]:
    """Postpones mail of workspaces over their limit; that which was claimed in the same transaction is not due."""
    for row in over_limit:
        postponed = yield Statement("submission_postpone", [row])
        yield from _explain(postponed, str(row["reason"]))


def begin_submissions(
    candidates: Sequence[ClaimableMail], now: Micros, owner: str, limits: SubmissionLimits
) -> StatementGenerator[ClaimResult]:
    """Opens the attempts of candidates whose tickets are locked. Fails those that were claimed too often."""
    ordered = yield from _reserve_probes(sorted(candidates, key=lambda each: str(each.row["id"])), now, limits)
    exhausted = {each.row["id"]: each for each in ordered if each.row["claims"] >= limits.max_claims}
    begun = yield Statement(
        "submission_begin",
        [
            {"id": each.row["id"], "now": now, "until": now + limits.lease}
            for each in ordered
            if each.row["id"] not in exhausted
        ],
    )
    attempts: dict[str, int] = {row["id"]: row["attempts"] for row in begun}
    yield Statement(
        "dispatch_mark_lost",
        [{"delivery_id": each.row["id"], "now": now} for each in ordered if each.row["attempts"]],
    )
    yield Statement(
        "submission_insert_attempt",
        [{"delivery_id": each, "n": n, "started_at": now, "owner": owner} for each, n in attempts.items()],
    )
    read = yield Statement("submission_read", [{"delivery_id": each} for each in (*attempts, *exhausted)])
    rows = {row["delivery_id"]: row for row in read if row["reply_state"] != "canceled"}
    ended = [each for each in attempts if each not in rows]
    yield Statement("dispatch_mark_dead", [{"id": each, "reason": "the reply was removed"} for each in ended])
    sent = [row for delivery_id, row in rows.items() if delivery_id in attempts]
    yield from _begin_replies(sent, now)
    failed = [_exhausted(row, exhausted[each]) for each, row in rows.items() if each in exhausted]
    due_integrations = yield from record_failures(failed, now, max_age=limits.max_age)
    domains = yield from _read_domains(sent)
    probes = {each.row["id"] for each in candidates if each.is_probe}
    submissions = [
        _build(row, attempts[row["delivery_id"]], domains, is_probe=row["delivery_id"] in probes) for row in sent
    ]
    return ClaimResult(tuple(submissions), tuple(due_integrations))


def _reserve_probes(
    candidates: Sequence[ClaimableMail], now: Micros, limits: SubmissionLimits
) -> StatementGenerator[list[ClaimableMail]]:
    """Returns the candidates without the probes that another process has begun."""
    latest = limits.latest_plausible(now)
    reserved = yield Statement(
        "submission_begin_probe",
        [
            {
                "smarthost_id": each.smarthost.id,
                "now": now,
                "latest_plausible": latest,
                "next_probe_at": now + schedule.next_probe_interval(each.smarthost.probe_interval),
            }
            for each in candidates
            if each.is_probe
        ],
    )
    ids = {row["id"] for row in reserved}
    return [each for each in candidates if not each.is_probe or each.smarthost.id in ids]


def _exhausted(row: Row, candidate: ClaimableMail) -> FailedRecipient:
    text = f"failed permanently: claimed {candidate.row['claims']} times without an outcome"
    return FailedRecipient.from_row(row, code=None, text=text)


def _begin_replies(rows: Sequence[Row], now: Micros) -> StatementGenerator[None]:
    """Marks the recipients as being sent to. A queued reply sets the status of its ticket and is indexed:
    it can no longer be canceled.
    """
    yield Statement("submission_begin_recipient", [{"delivery_id": row["delivery_id"]} for row in rows])
    first = {row["reply_id"]: row for row in rows if row["reply_state"] == "queued"}
    yield from _set_statuses(first.values(), now)
    yield Statement(
        "submission_delete_upload",
        [
            {"id": upload_id, "workspace_id": row["workspace_id"]}
            for row in first.values()
            for upload_id in json.loads(row["draft"]).get("attachments", ())
        ],
    )
    yield from update_replies([ReplyChange(row["reply_id"]) for row in rows])
    yield from index_stored([row["message_id"] for row in first.values()])


def _set_statuses(rows: Iterable[Row], now: Micros) -> StatementGenerator[None]:
    """Gives the tickets the statuses of their replies, with the events of a change by the authors.

    A ticket to which a person has written since keeps its status: otherwise that mail could stay unseen.
    """
    statuses: dict[str, tuple[TicketStatus, Micros | None]] = {}
    events = []
    for row in sorted(rows, key=lambda row: str(row["reply_id"])):
        ticket_id, status = row["ticket_id"], row["ticket_status"]
        old, old_resolved_at = statuses.get(ticket_id, (row["status"], row["resolved_at"]))
        if status is None or status == old or row["answered"]:
            continue
        resolved_at = now if status == "resolved" else None
        statuses[ticket_id] = (status, resolved_at)
        before = {"status": old} | ({} if resolved_at == old_resolved_at else {"resolved_at": old_resolved_at})
        detail = {"from": old, "to": status, "before": before, "replyId": row["reply_id"]}
        actor = EventActor(row["actor_type"], row["actor_id"], row["user_id"])
        events.append(ReplyEvent(ticket_id, status_event_type(old, status), actor, detail))
    yield Statement(
        "submission_set_status",
        [
            {"ticket_id": ticket_id, "status": status, "resolved_at": resolved_at, "now": now}
            for ticket_id, (status, resolved_at) in sorted(statuses.items())
        ],
    )
    yield from record_reply_events(events, now)


def _read_domains(rows: Sequence[Row]) -> StatementGenerator[dict[tuple[str, str], Row]]:
    """Returns the domains of the senders by workspace and name."""
    keys = sorted({(row["workspace_id"], _domain_of(row)) for row in rows})
    found = yield Statement("submission_domain", [{"workspace_id": each, "name": name} for each, name in keys])
    return {(row["workspace_id"], row["name"]): row for row in found}


def _domain_of(row: Row) -> str:
    return str(row["from_address"]).rpartition("@")[2].lower()


def _build(row: Row, n: int, domains: Mapping[tuple[str, str], Row], *, is_probe: bool) -> Submission:
    name = _domain_of(row)
    domain = domains.get((row["workspace_id"], name))
    return Submission(
        delivery_id=row["delivery_id"],
        n=n,
        workspace_id=row["workspace_id"],
        ticket_id=row["ticket_id"],
        message_id=row["message_id"],
        smarthost_id=row["smarthost_id"],
        smarthost_url=row["url"],
        is_probe=is_probe,
        reply_id=row["reply_id"],
        kind=row["kind"],
        recipient=row["address"],
        token=row["token"],
        sender=row["from_address"],
        domain_id=None if domain is None else domain["id"],
        domain=name,
        is_upstream=domain is not None and domain["mx_managed"] == "upstream",
        rejects_token_sender=bool(row["rejects_token_sender"]),
        size=row["size"],
    )
