"""Group commit: concurrent accepts share one transaction, so that a busy server pays one fsync for many mails.

A group forms by itself out of what came while the last one was being written; nobody ever waits for company. It
holds at most `mails` items or `octets` octets; a larger item commits alone. If a group fails, each of its items is
tried alone, so that one bad item never fails its neighbours; only when the database is away they all are, untried.

What is written is not known here: a `Transcript` (see `database`) says it. Two writers run it: `SqliteWriter` in a
thread of its own, `PostgresWriter` on connections of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from router.errors import SerializationConflict, StorageFull, Unavailable
from router.store.database import StatementGenerator


class WeightedItem(Protocol):
    """An item of a group; `octets` is its share of the group's bound."""

    @property
    def weight(self) -> int: ...


ItemT = TypeVar("ItemT", bound=WeightedItem)
ResultT = TypeVar("ResultT")
ItemC_contra = TypeVar("ItemC_contra", bound=WeightedItem, contravariant=True)
ResultC_co = TypeVar("ResultC_co", covariant=True)

# Items in, one result for each item out, in their order.
WriteGroup = Callable[[Sequence[ItemT]], StatementGenerator[Sequence[ResultT]]]


class GroupWriter(Protocol[ItemC_contra, ResultC_co]):
    """Where the accept hands its mails in."""

    async def commit(self, item: ItemC_contra) -> ResultC_co:
        """Returns the item's result after its commit. Raises `Unavailable`, or what the item itself is at fault for.

        A caller that is cancelled does not cancel the commit.
        """
        ...

    async def close(self) -> None:
        """Commits what is queued, then ends. Later commits are `Unavailable`."""
        ...

    @property
    def is_alive(self) -> bool:
        """Whether what is handed in is still worked on: a fault of ours could end the worker before `close` does."""
        ...


@dataclass(frozen=True, slots=True)
class GroupLimits:
    """How large a group may get."""

    max_items: int
    max_weight: int

    def fits(self, count: int, octets: int, item: WeightedItem) -> bool:
        """Whether one more item fits a group of `count` items and `octets` octets; the first one always does."""
        return count == 0 or (count < self.max_items and octets + item.weight <= self.max_weight)


def should_retry_individually(error: Exception) -> bool:
    """Whether the items of a group that failed so are tried one by one.

    A disk that lacks the room for all may have it for some, and who was in another's way may not be so again. A
    database that is away, or does not answer in time, would say the same to each: only slowly.
    """
    return not isinstance(error, Unavailable) or isinstance(error, StorageFull | SerializationConflict)


def resolve_futures(futures: Iterable[asyncio.Future[ResultT]], outcomes: Iterable[ResultT | BaseException]) -> None:
    """Hands each caller its outcome; one that was cancelled is passed over, the commit holds all the same."""
    for future, outcome in zip(futures, outcomes, strict=True):
        if future.done():
            continue
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
