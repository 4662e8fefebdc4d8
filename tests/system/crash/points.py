"""The named points at which the program is killed.

`install` replaces functions in this process until the process ends. It raises an exception if a function was renamed.
"""

import functools
import inspect
import sqlite3
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from asyncpg.transaction import Transaction

from emailrouter import lifecycle
from emailrouter.assembly import core
from router.accept import Accept
from router.accept.incoming import IncomingMail
from router.channels.contract import SendFailure
from router.contents import contents_transaction
from router.contents.store import ContentStore
from router.dispatch import outbox, retention
from router.dispatch.delivery_batch import DeliveryBatch
from router.dispatch.dispatcher import Dispatcher
from router.dispatch.outbox import Outbox
from router.dispatch.outbox_transaction import ClaimRequest
from router.dispatch.retention import Retention
from router.dispatch.sender import TicketSender
from router.outbound.client import OutboundClient
from router.routing.routing_cache import RoutingCache
from router.store import migrate
from router.store.catalog import load_catalog
from router.store.database import Statement, StatementGenerator
from router.store.pg_notify import Notifier
from router.store.postgres_writer import PostgresWriter
from router.store.sqlite_writer import SqliteWriter
from smtp.server import Server
from smtp.transport import Transport

Trigger = Callable[[], None]
Condition = Callable[..., bool]

# Other transactions also call the wrapped commit of asyncpg. This variable is true in those of the watched groups.
_in_watched_group: ContextVar[bool] = ContextVar("in_watched_group", default=False)


@dataclass(frozen=True)
class CrashPoint:
    """A point at which the process can be killed. `meaning` describes the state at this point.

    `install(trigger)` makes the process call `trigger` at the point.
    """

    meaning: str
    install: Callable[[Trigger], None]


def install(name: str, trigger: Trigger) -> None:
    """Makes this process call `trigger` whenever it reaches the point. Raises KeyError for an unknown name."""
    POINTS[name].install(trigger)


def _always(*_: Any) -> bool:
    return True


def _wrap(owner: Any, name: str, *, before: Callable[..., None] | None, after: Callable[..., None] | None) -> None:
    inner = getattr(owner, name)
    if inspect.iscoroutinefunction(inner):

        @functools.wraps(inner)
        async def outer_async(*args: Any, **options: Any) -> Any:
            if before is not None:
                before(args)
            result = await inner(*args, **options)
            if after is not None:
                after(args, result)
            return result

        setattr(owner, name, outer_async)
        return

    @functools.wraps(inner)
    def outer(*args: Any, **options: Any) -> Any:
        if before is not None:
            before(args)
        result = inner(*args, **options)
        if after is not None:
            after(args, result)
        return result

    setattr(owner, name, outer)


def before(meaning: str, owner: Any, name: str, when: Condition = _always) -> CrashPoint:
    def put(trigger: Trigger) -> None:
        _wrap(owner, name, before=lambda args: trigger() if when(args) else None, after=None)

    return CrashPoint(meaning, put)


def after(meaning: str, owner: Any, name: str, when: Condition = _always) -> CrashPoint:
    def put(trigger: Trigger) -> None:
        _wrap(owner, name, before=None, after=lambda args, result: trigger() if when(args, result) else None)

    return CrashPoint(meaning, put)


def _watch_statements(module: Any, name: str, watch: Callable[[Statement, bool], None]) -> None:
    """Makes the statement generator `name` of `module` call `watch` before and after each of its statements.

    The second argument is whether the statement is done.
    """
    inner: Any = vars(module)[name]

    def watched(*args: Any) -> StatementGenerator[Any]:
        statements = inner(*args)
        asked: Statement = next(statements)
        while True:
            watch(asked, False)
            answer = yield asked
            watch(asked, True)
            try:
                asked = statements.send(answer)
            except StopIteration as end:
                return end.value

    setattr(module, name, watched)


def at_statement(meaning: str, module: Any, name: str, query: str, *, done: bool) -> CrashPoint:
    """Builds a point in the transaction `name` of `module`, before its statement `query`, or after it if `done`."""

    def put(trigger: Trigger) -> None:
        def watch(statement: Statement, is_done: bool) -> None:
            if statement.query == query and statement.rows and is_done == done:
                trigger()

        _watch_statements(module, name, watch)

    return CrashPoint(meaning, put)


def in_accept(meaning: str, query: str) -> CrashPoint:
    """Builds a point in the transaction that accepts messages, after its statement `query`."""
    return at_statement(meaning, core, "commit_group", query, done=True)  # `core` passes this function to the writer


def in_outbox(meaning: str, query: str, *, done: bool = True) -> CrashPoint:
    """Builds a point in the transaction of the outbox, after its statement `query`, or before it if not `done`."""
    return at_statement(meaning, outbox, "claim_and_record", query, done=done)


def in_contents(meaning: str, query: str) -> CrashPoint:
    """Builds a point in the transaction that stores parsed contents, after its statement `query`."""
    return at_statement(meaning, contents_transaction, "store_contents", query, done=True)


class _CommitTracer:
    """A connection of SQLite that reports the commits of the transactions that execute the statement `marker`."""

    def __init__(self, inner: sqlite3.Connection, marker: str, first: Trigger | None, then: Trigger | None) -> None:
        self._inner = inner
        self._marker = marker
        self._first = first
        self._then = then
        self._is_marked = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def executemany(self, statement: str, rows: Sequence[Any]) -> Any:
        self._is_marked |= statement == self._marker and bool(rows)
        return self._inner.executemany(statement, rows)

    def execute(self, statement: str, *values: Any) -> Any:
        commits = statement == "COMMIT" and self._is_marked
        if commits and self._first is not None:
            self._first()
        found = self._inner.execute(statement, *values)
        if commits and self._then is not None:
            self._then()
        if statement in ("COMMIT", "ROLLBACK"):
            self._is_marked = False
        return found


def group_commit(meaning: str, item: type, query: str, *, done: bool) -> CrashPoint:
    """Builds a point before the COMMIT of a group of `item`, or after this COMMIT if `done`.

    `query` is a statement that returns no rows, by which a transaction on SQLite is recognised.
    """

    def put(trigger: Trigger) -> None:
        first, then = (None, trigger) if done else (trigger, None)
        connected = SqliteWriter._ensure_connection
        marker = load_catalog()[query].sqlite
        SqliteWriter._ensure_connection = lambda self: _CommitTracer(connected(self), marker, first, then)  # type: ignore[method-assign,assignment,return-value]

        transaction = PostgresWriter._transaction

        async def _transaction(self: Any, connection: Any, items: Any) -> Any:
            token = _in_watched_group.set(isinstance(items[0], item))
            try:
                return await transaction(self, connection, items)
            finally:
                _in_watched_group.reset(token)

        PostgresWriter._transaction = _transaction  # type: ignore[method-assign]
        commit = "_Transaction__commit"
        _wrap(
            Transaction,
            commit,
            before=None if done else lambda _: trigger() if _in_watched_group.get() else None,
            after=(lambda *_: trigger() if _in_watched_group.get() else None) if done else None,
        )

    return CrashPoint(meaning, put)


def _contains_queued_reply(args: tuple[Any, ...]) -> bool:
    return any(b"queued as" in reply for reply in args[0]._output)


def reply_written() -> CrashPoint:
    """Builds a point after a 250 for a message was written to the socket."""

    def put(trigger: Trigger) -> None:
        said: list[bool] = []
        _wrap(
            Transport,
            "_write_output",
            before=lambda args: said.append(_contains_queued_reply(args)),
            after=lambda *_: trigger() if said.pop() else None,
        )

    return CrashPoint("the 250 was written to the socket", put)


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
    "reply-ready": before("the 250 is built, not written", Transport, "_write_output", _contains_queued_reply),
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
