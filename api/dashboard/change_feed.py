"""Who is told that something changed: one look at the database a second for each workspace that somebody watchers.

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

POLL_SECONDS = 1.0  # seconds between two looks
MAX_STREAMS = 200  # of the 1000 connections that a process takes
MAX_STREAMS_PER_USER = 20  # of one person: nobody can take the others' places
log = structlog.get_logger()


class ChangeStream:
    """One listener. `changed` is set by its watcher and cleared by whoever told its client.

    seen: the newest that its page shows (`newest_id`); what is newer at the first look is news already. whose: the
    user's. trouble: the `AttentionCounts.fingerprint` that its page shows, `""` where it shows none.
    """

    def __init__(self, newest_shown: str, user_id: str = "", attention_shown: str = "") -> None:
        self.user_id = user_id
        self.changed = asyncio.Event()
        self.is_closed = False
        self._newest_shown = newest_shown
        self._known_ids: frozenset[str] | None = None
        self._attention_shown = attention_shown

    def update(self, ids: frozenset[str], attention: str = "") -> None:
        """What there is now."""
        before = {name for name in ids if name <= self._newest_shown} if self._known_ids is None else self._known_ids
        if ids - before or (self._attention_shown and attention != self._attention_shown):
            self.changed.set()
        self._known_ids = ids
        self._attention_shown = attention

    def close(self) -> None:
        """Wakes the listener for the last time."""
        self.is_closed = True
        self.changed.set()


class _WorkspaceWatcher:
    """One workspace that somebody listens to."""

    def __init__(self, task: asyncio.Task[None]) -> None:
        self.task = task
        self.streams: set[ChangeStream] = set()


class ChangeFeed:
    """Opens and closes streams."""

    def __init__(
        self,
        tickets: TicketService,
        attention: AttentionService,
        *,
        poll_seconds: float = POLL_SECONDS,
        max_streams: int = MAX_STREAMS,
    ) -> None:
        self._tickets = tickets
        self._attention = attention
        self._poll_seconds = poll_seconds
        self._max_streams = max_streams
        self._watchers: dict[str, _WorkspaceWatcher] = {}
        self._is_closed = False

    @property
    def stream_count(self) -> int:
        """How many there are."""
        return sum(len(watcher.streams) for watcher in self._watchers.values())

    def open_stream(
        self, workspace_id: str, newest_shown: str, user_id: str = "", attention_shown: str = ""
    ) -> ChangeStream:
        """A stream of what changes in a workspace; the caller closes it. Raises `Unavailable` when there are many."""
        if self._is_closed or self.stream_count >= self._max_streams:
            raise Unavailable("too many open event streams")
        watcher = self._watchers.get(workspace_id)
        if watcher is not None and sum(stream.user_id == user_id for stream in watcher.streams) >= MAX_STREAMS_PER_USER:
            raise Unavailable("too many open event streams for this user")
        if watcher is None:
            task = asyncio.get_running_loop().create_task(
                self._watch_workspace(workspace_id), name=f"live {workspace_id}"
            )
            watcher = self._watchers[workspace_id] = _WorkspaceWatcher(task)
        stream = ChangeStream(newest_shown, user_id, attention_shown)
        watcher.streams.add(stream)
        return stream

    def close_stream(self, workspace_id: str, stream: ChangeStream) -> None:
        """The last one to go ends the looking."""
        watcher = self._watchers.get(workspace_id)
        if watcher is None:
            return
        watcher.streams.discard(stream)
        if not watcher.streams:
            watcher.task.cancel()
            del self._watchers[workspace_id]

    async def close(self) -> None:
        """Ends every stream. Safe to call twice."""
        self._is_closed = True
        watchers, self._watchers = list(self._watchers.values()), {}
        for watcher in watchers:
            watcher.task.cancel()
            for stream in watcher.streams:
                stream.close()
        await asyncio.gather(*(watcher.task for watcher in watchers), return_exceptions=True)

    async def _watch_workspace(self, workspace_id: str) -> None:
        actor = Actor(workspace_id, "viewer")
        while True:
            try:
                found = await self._tickets.list_newest_ids(actor)
                trouble = (await self._attention.get_counts(actor)).fingerprint
            except Unavailable as error:
                log.debug("live_updates.database_unavailable", reason=str(error))
            except Exception:
                # Nobody waits for news that do not come: pages that listen come again, and are looked for anew.
                log.exception("live_updates.internal_error")
                for stream in self._watchers.pop(workspace_id).streams:
                    stream.close()
                return
            else:
                for stream in self._watchers[workspace_id].streams:
                    stream.update(found, trouble)
            await asyncio.sleep(self._poll_seconds)


def newest_id(ids: frozenset[str]) -> str:
    """What a page that shows all of this has seen."""
    return max(ids, default="0")


CHANGE_FEED = web.AppKey("live", ChangeFeed)
