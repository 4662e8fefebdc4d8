"""Ways to make a process call a trigger at a point: around a function, at a statement, or around a commit.

They replace functions in this process until the process ends. They raise an exception if a function was renamed.
"""

import functools
import inspect
import sqlite3
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from asyncpg.transaction import Transaction

from emailrouter.assembly import core
from router.contents import contents_transaction
from router.dispatch import outbox, submission_outbox
from router.store.catalog import load_catalog
from router.store.database import Statement, StatementGenerator
from router.store.postgres_writer import PostgresWriter
from router.store.sqlite_writer import SqliteWriter
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


def in_submissions(meaning: str, query: str) -> CrashPoint:
    """Builds a point in the transaction of the mail for smarthosts, after its statement `query`."""
    return at_statement(meaning, submission_outbox, "write_submissions", query, done=True)


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


def contains_queued_reply(args: tuple[Any, ...]) -> bool:
    return any(b"queued as" in reply for reply in args[0]._output)


def reply_written() -> CrashPoint:
    """Builds a point after a 250 for a message was written to the socket."""

    def put(trigger: Trigger) -> None:
        said: list[bool] = []
        _wrap(
            Transport,
            "_write_output",
            before=lambda args: said.append(contains_queued_reply(args)),
            after=lambda *_: trigger() if said.pop() else None,
        )

    return CrashPoint("the 250 was written to the socket", put)
