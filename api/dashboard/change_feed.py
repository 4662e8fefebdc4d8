"""Who is told that something changed: one look at the database a second for each workspace that somebody watches.

Streams say only that there is something new; the page then asks for itself as it would anyway, with its own rights.
Bounded: so many streams in a process, fewer for one person, and each ends after a while, so that a session that is
over hears no more.
Nothing runs while nobody listens. `close` ends every stream at once: a process that stops does not wait for them.
"""

from __future__ import annotations

import asyncio

import structlog
from aiohttp import web

from router.admin.installation.attention import AttentionService
from router.admin.tickets.tickets import TicketService
from router.errors import Unavailable
from router.model import Actor

EVERY = 1.0  # seconds between two looks
MOST_STREAMS = 200  # of the 1000 connections that a process takes
MOST_OF_ONE = 20  # of one person: nobody can take the others' places
log = structlog.get_logger()


class Stream:
    """One listener. `changed` is set by its watch and cleared by whoever told its client.

    seen: the newest that its page shows (`newest_of`); what is newer at the first look is news already. whose: the
    user's. trouble: the `AttentionCounts.fingerprint` that its page shows, `""` where it shows none.
    """

    def __init__(self, seen: str, whose: str = "", trouble: str = "") -> None:
        self.whose = whose
        self.changed = asyncio.Event()
        self.ended = False
        self._seen = seen
        self._known: frozenset[str] | None = None
        self._trouble = trouble

    def look(self, found: frozenset[str], trouble: str = "") -> None:
        """What there is now."""
        before = {name for name in found if name <= self._seen} if self._known is None else self._known
        if found - before or (self._trouble and trouble != self._trouble):
            self.changed.set()
        self._known = found
        self._trouble = trouble

    def end(self) -> None:
        """Wakes the listener for the last time."""
        self.ended = True
        self.changed.set()


class _Watch:
    """One workspace that somebody listens to."""

    def __init__(self, task: asyncio.Task[None]) -> None:
        self.task = task
        self.streams: set[Stream] = set()


class Live:
    """Opens and closes streams."""

    def __init__(
        self, tickets: TicketService, attention: AttentionService, *, every: float = EVERY, most: int = MOST_STREAMS
    ) -> None:
        self._tickets = tickets
        self._attention = attention
        self._every = every
        self._most = most
        self._watches: dict[str, _Watch] = {}
        self._closed = False

    @property
    def streams(self) -> int:
        """How many there are."""
        return sum(len(watch.streams) for watch in self._watches.values())

    def open(self, workspace_id: str, seen: str, whose: str = "", trouble: str = "") -> Stream:
        """A stream of what changes in a workspace; the caller closes it. Raises `Unavailable` when there are many."""
        if self._closed or self.streams >= self._most:
            raise Unavailable("too many open event streams")
        watch = self._watches.get(workspace_id)
        if watch is not None and sum(stream.whose == whose for stream in watch.streams) >= MOST_OF_ONE:
            raise Unavailable("too many open event streams for this user")
        if watch is None:
            task = asyncio.get_running_loop().create_task(self._look(workspace_id), name=f"live {workspace_id}")
            watch = self._watches[workspace_id] = _Watch(task)
        stream = Stream(seen, whose, trouble)
        watch.streams.add(stream)
        return stream

    def close_stream(self, workspace_id: str, stream: Stream) -> None:
        """The last one to go ends the looking."""
        watch = self._watches.get(workspace_id)
        if watch is None:
            return
        watch.streams.discard(stream)
        if not watch.streams:
            watch.task.cancel()
            del self._watches[workspace_id]

    async def close(self) -> None:
        """Ends every stream. Safe to call twice."""
        self._closed = True
        watches, self._watches = list(self._watches.values()), {}
        for watch in watches:
            watch.task.cancel()
            for stream in watch.streams:
                stream.end()
        await asyncio.gather(*(watch.task for watch in watches), return_exceptions=True)

    async def _look(self, workspace_id: str) -> None:
        actor = Actor(workspace_id, "viewer")
        while True:
            try:
                found = await self._tickets.newest(actor)
                trouble = (await self._attention.counts(actor)).fingerprint
            except Unavailable as error:
                log.debug("live_updates.database_unavailable", reason=str(error))
            except Exception:
                # Nobody waits for news that do not come: pages that listen come again, and are looked for anew.
                log.exception("live_updates.internal_error")
                for stream in self._watches.pop(workspace_id).streams:
                    stream.end()
                return
            else:
                for stream in self._watches[workspace_id].streams:
                    stream.look(found, trouble)
            await asyncio.sleep(self._every)


def newest_of(found: frozenset[str]) -> str:
    """What a page that shows all of this has seen."""
    return max(found, default="0")


LIVE = web.AppKey("live", Live)
