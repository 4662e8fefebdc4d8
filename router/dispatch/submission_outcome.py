"""Records how submissions ended, as statements of the transaction of submissions.

An outcome counts while its attempt is the newest one of its delivery. Otherwise it is late: its process has lost the
lease, and another one may send the mail again. Then only the attempt is recorded, and that the mail was accepted: the
other process does not send it, unless its final dot is on the way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from router.dispatch import schedule
from router.dispatch.submission_states import FailedRecipient, ReplyChange, record_failures, update_replies
from router.dispatch.submission_work import (
    CompletedSubmission,
    NotSubmitted,
    Recorded,
    Submission,
    SubmissionLimits,
    WrongSmarthost,
    describe_answer,
    end_name,
)
from router.model import Micros, Smarthost
from router.outbound.smarthost.failure import ACCESS_CODES
from router.outbound.smarthost.outcome import SubmissionOutcome
from router.replies.smarthosts import PARK_STEP
from router.store.database import Row, Statement, StatementGenerator, model_from_row

# The waits of the schedule that apply to mail that this installation cannot send, such as that of a domain that is not
# verified: at most 15 minutes, so that it is sent soon after that was fixed.
MAX_OWN_WAITS = 4
# The order of the statements: smarthosts, deliveries, attempts, and what is only locked by the ticket.
_ORDER = (
    "smarthost_insert_missing",
    "submission_set_last_error",
    "submission_mark_failing",
    "submission_mark_active",
    "submission_mark_sent",
    "submission_reschedule",
    "submission_move",
    "smarthost_unpark",
    "dispatch_record_attempt",
    "submission_set_recipient",
    "submission_insert_id",
    "submission_first_reply",
)


def record_ends(
    completed: Sequence[CompletedSubmission], locked: Sequence[Row], now: Micros, limits: SubmissionLimits
) -> StatementGenerator[list[Recorded]]:
    """Records the ends of submissions; returns what was recorded of each, in their order.

    Their tickets are locked, and their smarthosts, whose rows are `locked`.
    """
    smarthosts = {row["id"]: model_from_row(Smarthost, row) for row in locked}
    delivery_ids = sorted({each.submission.delivery_id for each in completed})
    rows = yield Statement("submission_lock_delivery", [{"delivery_id": each} for each in delivery_ids])
    deliveries = {row["id"]: row for row in rows}
    changes = _SubmissionChanges(now, limits, smarthosts)
    late = [changes.add(each, deliveries.get(each.submission.delivery_id)) for each in completed]
    for query in _ORDER:
        if changes.rows[query]:
            yield Statement(query, changes.rows[query])
    yield from update_replies(changes.replies)
    due_integrations = yield from record_failures(changes.failures, now, max_age=limits.max_age)
    return [Recorded(tuple(due_integrations), is_late) for is_late in late]


@dataclass(slots=True)
class _SubmissionChanges:
    """Collects the rows of each statement."""

    now: Micros
    limits: SubmissionLimits
    smarthosts: Mapping[str, Smarthost]
    rows: dict[str, list[dict[str, object]]] = field(default_factory=lambda: {query: [] for query in _ORDER})
    failures: list[FailedRecipient] = field(default_factory=list)
    replies: list[ReplyChange] = field(default_factory=list)

    def add(self, completed: CompletedSubmission, delivery: Row | None) -> bool:
        """Adds the changes of one submission; returns whether it is late. `delivery` is None if it was erased."""
        submission, end = completed.submission, completed.end
        self._add_attempt(submission, completed)
        is_accepted = isinstance(end, SubmissionOutcome) and end.kind == "accepted"
        is_current = delivery is not None and delivery["state"] == "pending" and delivery["attempts"] == submission.n
        if delivery is None or not (is_current or is_accepted):
            return True
        if isinstance(end, WrongSmarthost):
            self._add("smarthost_insert_missing", id=end.smarthost_id, url=end.url)
            self._add("submission_move", id=submission.delivery_id, smarthost_id=end.smarthost_id, now=self.now)
            self._set_recipient(submission, "retrying", None, "")
        elif isinstance(end, NotSubmitted):
            self._add_not_submitted(completed, end, delivery)
        elif end.kind == "accepted":
            self._add_accepted(completed, end)
        elif end.kind == "retry":
            self._add_retried(completed, end, delivery)
        elif end.kind == "smarthost" and self._is_only_this_sender(submission, end, delivery):
            self._add_retry(completed, delivery, end.code, describe_answer(end), attempts=submission.n)
        elif end.kind == "smarthost":
            self._mark_failing(submission, describe_answer(end))
            self._reschedule(submission, self.now, end.code, describe_answer(end))
        else:
            if submission.is_probe:  # it rejects this mail only
                self._mark_active(submission.smarthost_id)
            self._add_failure(submission, end.code, describe_answer(end))
        return not is_current

    def _add_attempt(self, submission: Submission, completed: CompletedSubmission) -> None:
        end = completed.end
        if isinstance(end, SubmissionOutcome):
            status, latency, answer = end.code, end.latency, describe_answer(end)
        else:
            status, latency = None, 0
            answer = end.reason if isinstance(end, NotSubmitted) else "not sent: the domain has another smarthost now"
        self._add(
            "dispatch_record_attempt",
            delivery_id=submission.delivery_id,
            n=submission.n,
            finished_at=self.now,
            outcome=end_name(end),
            status=status,
            latency=latency,
            answer=answer,
        )

    def _add_accepted(self, completed: CompletedSubmission, outcome: SubmissionOutcome) -> None:
        submission = completed.submission
        smarthost = self.smarthosts.get(submission.smarthost_id)
        if smarthost is not None:
            rejects_token = 1 if completed.is_sender_replaced else None
            if smarthost.status == "failing" or smarthost.last_error or rejects_token:
                self._mark_active(smarthost.id, rejects_token)
        self._add("submission_mark_sent", id=submission.delivery_id, now=self.now)
        self._set_recipient(submission, "sent", outcome.code, describe_answer(outcome), sent_at=self.now)
        if submission.kind == "reply":
            self._add("submission_first_reply", ticket_id=submission.ticket_id, now=self.now)
        for assigned_id in outcome.assigned_ids:
            self._add(
                "submission_insert_id",
                rfc_message_id=assigned_id,
                ticket_id=submission.ticket_id,
                message_id=submission.message_id,
            )

    def _add_not_submitted(self, completed: CompletedSubmission, end: NotSubmitted, delivery: Row) -> None:
        submission = completed.submission
        if end.is_counted:
            attempts = min(submission.n, MAX_OWN_WAITS)
            self._add_retry(completed, delivery, None, end.reason, attempts=attempts)
        else:
            self._reschedule(submission, self.now, None, end.reason)

    def _add_retry(
        self, completed: CompletedSubmission, delivery: Row, code: int | None, text: str, *, attempts: int
    ) -> None:
        """Schedules the next attempt after `attempts` failed ones, or fails a delivery that has expired."""
        due = schedule.next_attempt(attempts, self.now, delivery["expires_at"], None, completed.random)
        if due is None:
            self._add_failure(completed.submission, code, text)
        else:
            self._reschedule(completed.submission, due, code, text)

    def _reschedule(self, submission: Submission, at: Micros, code: int | None, text: str) -> None:
        self._add("submission_reschedule", id=submission.delivery_id, next_attempt_at=at, reason=text)
        self._set_recipient(submission, "retrying", code, text)

    def _add_failure(self, submission: Submission, code: int | None, text: str) -> None:
        self.failures.append(
            FailedRecipient(
                submission.delivery_id,
                submission.ticket_id,
                submission.message_id,
                submission.reply_id,
                submission.kind,
                submission.recipient,
                code,
                text,
            )
        )

    def _set_recipient(
        self, submission: Submission, state: str, code: int | None, text: str, *, sent_at: Micros | None = None
    ) -> None:
        self._add(
            "submission_set_recipient",
            delivery_id=submission.delivery_id,
            state=state,
            code=code,
            text=text,
            at=self.now,
        )
        last_error = None if sent_at is not None else text
        self.replies.append(ReplyChange(submission.reply_id, last_error, sent_at))

    def _add_retried(self, completed: CompletedSubmission, outcome: SubmissionOutcome, delivery: Row) -> None:
        submission, text = completed.submission, describe_answer(outcome)
        smarthost = self.smarthosts.get(submission.smarthost_id)
        has_accepted_sender = outcome.stage in ("rcpt", "data", "final")
        if submission.is_probe and has_accepted_sender:
            self._mark_active(submission.smarthost_id)
        elif submission.is_probe:
            self._mark_failing(submission, text)
        elif smarthost is not None and smarthost.status == "active" and not has_accepted_sender:
            self._add("submission_set_last_error", id=smarthost.id, reason=text)
        self._add_retry(completed, delivery, outcome.code, text, attempts=submission.n)

    def _is_only_this_sender(self, submission: Submission, outcome: SubmissionOutcome, delivery: Row) -> bool:
        """Whether a rejection at MAIL concerns this mail only: the smarthost has been reactivated since the last one.

        Otherwise one sender that the smarthost does not know would stop the mail of all others, time and again.
        """
        smarthost = self.smarthosts.get(submission.smarthost_id)
        is_sender = outcome.stage == "mail" and outcome.code not in ACCESS_CODES
        is_active = smarthost is not None and smarthost.status == "active" and not submission.is_probe
        return is_sender and is_active and bool(delivery["was_rejected"])

    def _mark_failing(self, submission: Submission, reason: str) -> None:
        """Marks a smarthost as failing, unless it was changed or reactivated since the claim."""
        current = self.smarthosts.get(submission.smarthost_id)
        is_reactivated = submission.is_probe and current is not None and current.status == "active"
        if current is None or current.url != submission.smarthost_url or is_reactivated:
            return
        if current.status == "failing" and not submission.is_probe:
            return  # one of several submissions that failed together
        interval = schedule.next_probe_interval(current.probe_interval)
        self._add(
            "submission_mark_failing",
            id=current.id,
            reason=reason,
            now=self.now,
            probe_interval=interval,
            probe_at=self.now + interval,
        )

    def _mark_active(self, smarthost_id: str, rejects_token_sender: int | None = None) -> None:
        self._add("submission_mark_active", id=smarthost_id, rejects_token_sender=rejects_token_sender)
        self._add("smarthost_unpark", id=smarthost_id, now=self.now, limit=PARK_STEP)

    def _add(self, query: str, **values: object) -> None:
        self.rows[query].append(values)
