"""Group commit: concurrent callers share one transaction, so a busy process pays one fsync for many items.

A group consists of the items that are queued when a transaction can start. After some errors
(`should_retry_individually`), each item is retried individually, so that one bad item does not fail the others. An item
whose result is an exception fails alone, without a retry.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from router.errors import SerializationConflict, StatementCancelled, StorageFull, Unavailable
from router.store.database import StatementGenerator


class WeightedItem(Protocol):
    """An item of a group. `weight` is the cost of writing it, in bytes of content."""

    @property
    def weight(self) -> int: ...


ItemT = TypeVar("ItemT", bound=WeightedItem)
ResultT = TypeVar("ResultT")
ItemC_contra = TypeVar("ItemC_contra", bound=WeightedItem, contravariant=True)
ResultC_co = TypeVar("ResultC_co", covariant=True)

# The transaction of a group. Returns one result for each item, in the order of the items; `Unavailable` fails the item.
WriteGroup = Callable[[Sequence[ItemT]], StatementGenerator[Sequence[ResultT | Unavailable]]]


class GroupWriter(Protocol[ItemC_contra, ResultC_co]):
    """Commits items of one kind in groups."""

    async def commit(self, item: ItemC_contra) -> ResultC_co:
        """Commits an item and returns its result.

        Raises `Unavailable`, or the error that the item caused. Cancelling the caller does not cancel the commit.
        """
        ...


class CommitQueue(Protocol):
    """The queue and the worker behind one or several group writers."""

    async def close(self) -> None:
        """Commits the queued items, then stops. Later commits raise `Unavailable`."""
        ...

    @property
    def is_alive(self) -> bool:
        """False after `close`, or if an internal error ended a worker."""
        ...


@dataclass(frozen=True, slots=True)
class GroupLimits:
    """The maximum size of a group: the number of items, and their total weight."""

    max_items: int
    max_weight: int

    def fits(self, count: int, group_weight: int, item: WeightedItem) -> bool:
        """Whether `item` fits into a group of `count` items. The first item always fits."""
        return count == 0 or (count < self.max_items and group_weight + item.weight <= self.max_weight)


def should_retry_individually(error: Exception) -> bool:
    """Whether the items of a group that failed with `error` are retried one by one.

    A full disk may still have space for some items, a conflict may not happen again, and a lock or a slow statement
    usually concerns one item.
    """
    return not isinstance(error, Unavailable) or isinstance(
        error, StorageFull | SerializationConflict | StatementCancelled
    )


def resolve_futures(futures: Iterable[asyncio.Future[ResultT]], outcomes: Iterable[ResultT | BaseException]) -> None:
    """Sets the outcome of each future, except those of cancelled callers."""
    for future, outcome in zip(futures, outcomes, strict=True):
        if future.done():
            continue
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
