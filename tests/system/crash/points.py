"""The named points at which the program is killed."""

from typing import Any

from emailrouter import lifecycle
from router.accept import Accept
from router.accept.incoming import IncomingMail
from router.channels.contract import SendFailure
from router.checks import check_queue
from router.checks.check_queue import CheckQueue
from router.checks.evaluate import SenderEvaluator
from router.contents.store import ContentStore
from router.dispatch import retention
from router.dispatch.delivery_batch import DeliveryBatch
from router.dispatch.dispatcher import Dispatcher
from router.dispatch.outbox import Outbox
from router.dispatch.outbox_transaction import ClaimRequest
from router.dispatch.retention import Retention
from router.dispatch.sender import TicketSender
from router.dispatch.submission_outbox import SubmissionOutbox
from router.outbound.client import OutboundClient
from router.outbound.smarthost.client import SmarthostClient
from router.routing.routing_cache import RoutingCache
from router.store import migrate
from router.store.pg_notify import Notifier
from smtp.server import Server
from smtp.transport import Transport
from tests.system.crash.hooks import (
    CrashPoint,
    Trigger,
    after,
    at_statement,
    before,
    contains_queued_reply,
    group_commit,
    in_accept,
    in_contents,
    in_outbox,
    in_submissions,
    reply_written,
)


def install(name: str, trigger: Trigger) -> None:
    """Makes this process call `trigger` whenever it reaches the point. Raises KeyError for an unknown name."""
    POINTS[name].install(trigger)


def _completed_batch(args: tuple[Any, ...]) -> Any:
    return args[2] if len(args) > 2 else None


def _is_probe(_: Any, result: Any) -> bool:
    return isinstance(result, DeliveryBatch) and result.probe


def _is_digest(args: tuple[Any, ...], *_: Any) -> bool:
    work: DeliveryBatch = args[1]
    return work.form == "digest"


def _was_permanent(args: tuple[Any, ...], _: Any) -> bool:
    finished = _completed_batch(args)
    return finished is not None and isinstance(finished.outcome, SendFailure) and finished.outcome.kind == "permanent"


POINTS: dict[str, CrashPoint] = {
    # Accepting a message.
    "recipient-found": after("a recipient was resolved, no reply yet", RoutingCache, "resolve"),
    "message-received": before("the message is in memory, nothing is written", Accept, "accept"),
    "fingerprint-claimed": in_accept("the fingerprint is written, not committed", "accept_claim_fingerprint"),
    "message-written": in_accept("the message row is written, its content is not", "accept_insert_message"),
    "content-written": in_accept("the content is written, the ticket is not", "accept_insert_chunk"),
    "delivery-written": in_accept("the delivery is written, the ticket is not", "accept_insert_delivery"),
    "number-reserved": in_accept("the number is reserved, the ticket is not written", "accept_reserve_numbers"),
    "ticket-written": in_accept("everything is written, not committed", "accept_insert_ticket"),
    "accept-commit": group_commit("before COMMIT", IncomingMail, "accept_insert_message", done=False),
    "accept-committed": group_commit(
        "committed, the caller is not informed", IncomingMail, "accept_insert_message", done=True
    ),
    "woken": after("committed and the deliverer woken, no reply yet", Accept, "accept"),
    "reply-ready": before("the 250 is built, not written", Transport, "_write_output", contains_queued_reply),
    "reply-written": reply_written(),
    # Delivering a ticket.
    "claim-begins": before(
        "a delivery is due, nothing is claimed", Outbox, "claim_and_record", lambda a: _completed_batch(a) is None
    ),
    "lease-taken": in_outbox("the lease is written, not committed", "dispatch_take_lease"),
    "attempt-written": in_outbox("the attempt is written, not committed", "dispatch_insert_attempt"),
    "claim-commit": group_commit(
        "the attempts of several workers are written, before COMMIT",
        ClaimRequest,
        "dispatch_insert_attempt",
        done=False,
    ),
    "claim-committed": group_commit(
        "the attempts of several workers are committed, no worker is informed",
        ClaimRequest,
        "dispatch_insert_attempt",
        done=True,
    ),
    "claimed": after(
        "the attempt is committed, nothing was sent",
        Outbox,
        "claim_and_record",
        lambda _, r: isinstance(r, DeliveryBatch),
    ),
    "parsing": before("the message is about to be parsed", ContentStore, "_parse_raw"),
    "contents-written": in_contents("the text is written, its words are not", "contents_upsert"),
    "words-written": in_contents("the text and its words are written, not committed", "search_upsert"),
    "parsed": after("the text is stored", ContentStore, "_store"),
    "post-begins": before("the message is rendered and not sent", OutboundClient, "request"),
    "posted": after("Slack has the message, the outcome is not written", OutboundClient, "request"),
    "outcome-begins": in_outbox("the outcome's transaction has begun", "dispatch_mark_delivered", done=False),
    "delivery-closed": in_outbox("the delivery has its outcome, the attempt has not", "dispatch_mark_delivered"),
    "outcome-written": in_outbox("the outcome is written, not committed", "dispatch_record_attempt"),
    "outcome-commit": group_commit(
        "the outcomes of several workers are written, before COMMIT",
        ClaimRequest,
        "dispatch_record_attempt",
        done=False,
    ),
    "outcome-committed": after(
        "the outcome is committed", Outbox, "claim_and_record", lambda a, _: _completed_batch(a) is not None
    ),
    "retry-written": in_outbox("a retry is scheduled, not committed", "dispatch_reschedule"),
    "digest-begins": before("a digest's attempts are committed, it is not sent", TicketSender, "send", _is_digest),
    "digest-posted": after("Slack has the digest, no outcome is written", TicketSender, "send", _is_digest),
    "parking": in_outbox("the integration is marked as failing, not committed", "dispatch_mark_failing"),
    "parked": after("the integration's deliveries are parked", Outbox, "claim_and_record", _was_permanent),
    "probe-claimed": after("a probe is claimed, not sent", Outbox, "claim_and_record", _is_probe),
    "probe-healed": in_outbox("the probe succeeded, not committed", "dispatch_mark_active"),
    # Checking a sender.
    "checks-claimed": after("a message is claimed, nothing is asked", CheckQueue, "claim", lambda _, r: bool(r)),
    "checks-evaluated": after("the results are known, not stored", SenderEvaluator, "evaluate"),
    "checks-written": at_statement(
        "the results are written, not committed", check_queue, "store_checks", "check_store", done=True
    ),
    "delivery-freed": at_statement(
        "the delivery is due, not committed", check_queue, "store_checks", "check_free_deliveries", done=True
    ),
    "checks-committed": after("the results are committed, nobody is woken", CheckQueue, "store"),
    # Sending a reply.
    "reply-due": before("a reply is due, nothing is claimed", SubmissionOutbox, "claim"),
    "reply-claim-written": in_submissions("the claim is written, not committed", "submission_insert_attempt"),
    "reply-claimed": after("the attempt is committed, nothing is connected", SubmissionOutbox, "claim"),
    "final-dot-begins": before("the data was sent, not its final dot", SubmissionOutbox, "begin_final_dot"),
    "final-dot-written": in_submissions("the final dot is written, not committed", "submission_set_final_dot"),
    "final-dot-committed": after("the final dot is committed, not sent", SubmissionOutbox, "begin_final_dot"),
    "reply-submitted": after("the smarthost has the reply, the outcome is not written", SmarthostClient, "submit"),
    "reply-closed": in_submissions("the outcome is written, not committed", "submission_mark_sent"),
    "reply-recorded": after("the outcome is committed", SubmissionOutbox, "record"),
    # Retention.
    "retention-begins": before("retention starts", Retention, "sweep"),
    "raw-erased": after("raw chunks are erased, not committed", retention, "_erase_chunks"),
    "ticket-erased": after("a ticket is erased, not committed", retention, "erase_ticket"),
    "retention-ended": after("retention has ended", Retention, "sweep"),
    # Start and stop.
    "migration-statement": after("inside a migration, on SQLite", migrate._SqliteMigration, "execute"),
    "migration-statement-pg": after("inside a migration, on PostgreSQL", migrate._PostgresMigration, "execute"),
    "key-stored": after("the fingerprint of the secret key is stored", lifecycle, "load_secret_box"),
    "releasing-leases": before("leases of a dead process are found, not released", Outbox, "release_owner"),
    "leases-released": after("leases of a dead process are released", Outbox, "release_owner"),
    "server-starting": before("everything is ready except the server", Server, "start"),
    "server-started": after("the server listens, readiness is not reported", Server, "start"),
    "draining": before("a stop was requested, the server still listens", Server, "drain"),
    "drained": after("the server is closed, the database is open", Server, "drain"),
    "dispatcher-stops": before("the dispatcher is asked to stop", Dispatcher, "stop"),
    # Separate roles.
    "notifying": before("committed, deliverers are not notified", Notifier, "wake"),
}
