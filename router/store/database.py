"""The interface to a database, the same for SQLite (`sqlite`) and PostgreSQL (`postgres`).

If the database is unavailable, full or misconfigured, or reports a conflict, a method raises `Unavailable` or a
subclass. Other database errors are not translated.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, fields
from functools import cache, wraps
from typing import Any, ParamSpec, Protocol, TypeVar

from router.errors import SerializationConflict

Row = Mapping[str, Any]
P = ParamSpec("P")
T = TypeVar("T")
# The tries of a transaction, including the first. PostgreSQL detects a deadlock only after `deadlock_timeout` (by
# default one second), so a retry may start late.
MAX_CONFLICT_TRIES = 4


class QueryExecutor(Protocol):
    """Executes named queries: all in one transaction, or each in its own transaction."""

    async def fetch_all(self, query: str, /, **values: object) -> Sequence[Row]:
        """Returns all rows."""
        ...

    async def fetch_one(self, query: str, /, **values: object) -> Row | None:
        """Returns the first row, or None."""
        ...

    async def execute(self, query: str, /, **values: object) -> int:
        """Returns the number of rows that the statement changed."""
        ...

    async def execute_statement(self, statement: Statement, /) -> Sequence[Row]:
        """Executes a statement with many rows. Returns all rows that it returns."""
        ...


class Database(QueryExecutor, Protocol):
    """A database. `transaction` commits when its block ends and rolls back when the block raises."""

    def transaction(self) -> AbstractAsyncContextManager[QueryExecutor]:
        """On SQLite, the transaction takes the write lock at once (BEGIN IMMEDIATE)."""
        ...

    async def close(self) -> None:
        """Waits for running statements (on PostgreSQL, for a limited time), then closes the connections.

        A connection that `PostgresDatabase.connect` returned stays open.
        """
        ...


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a statement generator, with values for many rows.

    SQLite executes the statement once for each row. PostgreSQL executes it once for all rows, with an array for each
    parameter, if the query's text has arrays (`NamedQuery.takes_arrays`), and otherwise once for each row.
    """

    query: str
    rows: Sequence[Mapping[str, object]]


# A transaction as a generator: it yields statements, receives the rows that each statement returns, and returns the
# result. It contains no await, so the same code runs in the writer thread of SQLite and on the event loop for
# PostgreSQL.
StatementGenerator = Generator[Statement, Sequence[Row], T]


async def run_statements(executor: QueryExecutor, statements: StatementGenerator[T]) -> T:
    """Runs a statement generator. Returns its result."""
    try:
        statement = next(statements)
        while True:
            statement = statements.send(await executor.execute_statement(statement))
    except StopIteration as end:
        result: T = end.value
        return result


@cache
def _field_names(cls: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cls) if not field.metadata.get("related"))


def model_from_row(cls: type[T], row: Row) -> T:
    """Builds a dataclass instance from the columns named like the fields; ignores other columns.

    A field with the metadata `related` keeps its default: its value is in rows of another table.
    """
    dataclass_type: Any = cls  # `type[T]` does not state that `cls` is a dataclass
    return cls(**{name: row[name] for name in _field_names(dataclass_type)})


async def fetch_models(executor: QueryExecutor, cls: type[T], query: str, /, **values: object) -> list[T]:
    return [model_from_row(cls, row) for row in await executor.fetch_all(query, **values)]


async def fetch_model(executor: QueryExecutor, cls: type[T], query: str, /, **values: object) -> T | None:
    row = await executor.fetch_one(query, **values)
    return None if row is None else model_from_row(cls, row)


def retry_on_conflict(work: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Retries a coroutine function after `SerializationConflict`. The function must write in one transaction only.

    The transactions lock the kinds of rows in one order (docs/decisions/0036-shared-commits.md). But deliveries of a
    ticket can be locked by several statements, so deadlocks are possible.
    """

    @wraps(work)
    async def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        for _ in range(MAX_CONFLICT_TRIES - 1):
            try:
                return await work(*args, **kwargs)
            except SerializationConflict:
                continue
        return await work(*args, **kwargs)

    return wrapper
