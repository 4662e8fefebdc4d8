"""The interface to a database, the same for SQLite (`sqlite`) and PostgreSQL (`postgres`).

Statements are asked for by name (`catalog`), values go in by name, rows come out as mappings or as the frozen
values of `router.model`. Whatever keeps the database from answering is `Unavailable` (or `StorageFull`); any other
database error is a fault of ours and comes through as it is. Used by the use cases of `router`; no door sees it.
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
# Each deadlock costs the server's `deadlock_timeout`, a second; who loses this often meets more than chance.
MAX_CONFLICT_TRIES = 4


class QueryExecutor(Protocol):
    """Where statements run: a transaction, or the database itself with a transaction for each statement."""

    async def fetch_all(self, query: str, /, **values: object) -> Sequence[Row]:
        """All rows of a query."""
        ...

    async def fetch_one(self, query: str, /, **values: object) -> Row | None:
        """The first row of a query, None when there is none."""
        ...

    async def execute(self, query: str, /, **values: object) -> int:
        """Runs a statement that writes; returns how many rows it changed."""
        ...

    async def execute_many(self, query: str, rows: Sequence[Mapping[str, object]], /) -> None:
        """Runs a statement that writes once for each row of values, all in one call to the database."""
        ...


class Database(QueryExecutor, Protocol):
    """A whole database. `transaction` commits when its block ends and rolls back when it raises."""

    def transaction(self) -> AbstractAsyncContextManager[QueryExecutor]:
        """A read-write transaction; on SQLite it is the only writer from its first moment (BEGIN IMMEDIATE)."""
        ...

    async def close(self) -> None:
        """Waits for what runs, then lets every connection go."""
        ...


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a group commit, for many rows at once: what a `Transcript` yields.

    SQLite runs it once for each row; PostgreSQL once for all, each parameter being the array of that column.
    """

    query: str
    rows: Sequence[Mapping[str, object]]


# A transaction written as a generator: it yields steps, gets back the rows they returned, and returns its result.
# So one text, without waiting in it, runs in SQLite's writer thread and on PostgreSQL's event loop alike.
StatementGenerator = Generator[Statement, Sequence[Row], T]


@cache
def _field_names(cls: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cls))


def model_from_row(cls: type[T], row: Row) -> T:
    """The row as a frozen value of `router.model`: columns are named as its fields; further columns are ignored."""
    dataclass_type: Any = cls  # a dataclass, which the type system cannot say
    return cls(**{name: row[name] for name in _field_names(dataclass_type)})


async def fetch_models(executor: QueryExecutor, cls: type[T], query: str, /, **values: object) -> list[T]:
    """All rows of a query as values."""
    return [model_from_row(cls, row) for row in await executor.fetch_all(query, **values)]


async def fetch_model(executor: QueryExecutor, cls: type[T], query: str, /, **values: object) -> T | None:
    """The first row of a query as a value, or None."""
    row = await executor.fetch_one(query, **values)
    return None if row is None else model_from_row(cls, row)


def retry_on_conflict(work: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Retries a function that is one transaction and nothing else after a `SerializationConflict`.

    Deliverers write to deliveries and their integration in one order, who replays or erases them in another.
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
