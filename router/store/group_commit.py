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

from router.errors import Contended, StorageFull, Unavailable
from router.store.database import Transcript


class Sized(Protocol):
    """An item of a group; `octets` is its share of the group's bound."""

    @property
    def octets(self) -> int: ...


ItemT = TypeVar("ItemT", bound=Sized)
ResultT = TypeVar("ResultT")
ItemC_contra = TypeVar("ItemC_contra", bound=Sized, contravariant=True)
ResultC_co = TypeVar("ResultC_co", covariant=True)

# Items in, one result for each item out, in their order.
Write = Callable[[Sequence[ItemT]], Transcript[Sequence[ResultT]]]


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
    def alive(self) -> bool:
        """Whether what is handed in is still worked on: a fault of ours could end the worker before `close` does."""
        ...


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large a group may get."""

    mails: int
    octets: int

    def admit(self, count: int, octets: int, item: Sized) -> bool:
        """Whether one more item fits a group of `count` items and `octets` octets; the first one always does."""
        return count == 0 or (count < self.mails and octets + item.octets <= self.octets)


def tried_alone(error: Exception) -> bool:
    """Whether the items of a group that failed so are tried one by one.

    A disk that lacks the room for all may have it for some, and who was in another's way may not be so again. A
    database that is away, or does not answer in time, would say the same to each: only slowly.
    """
    return not isinstance(error, Unavailable) or isinstance(error, StorageFull | Contended)


def settle(futures: Iterable[asyncio.Future[ResultT]], outcomes: Iterable[ResultT | BaseException]) -> None:
    """Hands each caller its outcome; one that was cancelled is passed over, the commit holds all the same."""
    for future, outcome in zip(futures, outcomes, strict=True):
        if future.done():
            continue
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
