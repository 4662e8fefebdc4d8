"""Notifies open pages of changes. Polls the database once a second for each workspace with an open stream.

A stream only signals that something changed. The page then loads its contents again, with the rights of its user.
"""

from __future__ import annotations

import asyncio

import structlog
from aiohttp import web

from router.admin.installation.attention import AttentionService
from router.admin.tickets.tickets import TicketService
from router.errors import Unavailable
from router.model import Actor

POLL_SECONDS = 1.0
MAX_STREAMS = 200  # fewer than the 1000 connections that the HTTP server of a process accepts
MAX_STREAMS_PER_USER = 20  # so that one user cannot use up all streams
log = structlog.get_logger()


class ChangeStream:
    """Signals changes in a workspace to one page. `changed` is set by a change and by `close`; the reader clears it.

    Args:
        newest_shown: The `newest_id` that the page shows.
        attention_shown: The `AttentionCounts.fingerprint` that the page shows; "" if the page shows no counts.
    """

    def __init__(self, newest_shown: str, user_id: str = "", attention_shown: str = "") -> None:
        self.user_id = user_id
        self.changed = asyncio.Event()
        self.is_closed = False
        self._newest_shown = newest_shown
        self._known_ids: frozenset[str] | None = None
        self._attention_shown = attention_shown

    def update(self, ids: frozenset[str], attention: str = "") -> None:
        before = {id_ for id_ in ids if id_ <= self._newest_shown} if self._known_ids is None else self._known_ids
        if ids - before or (self._attention_shown and attention != self._attention_shown):
            self.changed.set()
        self._known_ids = ids
        self._attention_shown = attention

    def close(self) -> None:
        self.is_closed = True
        self.changed.set()


class _WorkspaceWatcher:
    def __init__(self, task: asyncio.Task[None]) -> None:
        self.task = task
        self.streams: set[ChangeStream] = set()


class ChangeFeed:
    """The change streams of one process."""

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
        return sum(len(watcher.streams) for watcher in self._watchers.values())

    def open_stream(
        self, workspace_id: str, newest_shown: str, user_id: str = "", attention_shown: str = ""
    ) -> ChangeStream:
        """Opens a stream, which the caller must close with `close_stream`.

        Raises `Unavailable` if too many streams are open, or after `close`.
        """
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
        watcher = self._watchers.get(workspace_id)
        if watcher is None:
            return
        watcher.streams.discard(stream)
        if not watcher.streams:
            watcher.task.cancel()
            del self._watchers[workspace_id]

    async def close(self) -> None:
        """Closes all streams, so that shutdown does not wait for them, and refuses new ones. Safe to call twice."""
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
                newest_ids = await self._tickets.list_newest_ids(actor)
                fingerprint = (await self._attention.get_counts(actor)).fingerprint
            except Unavailable as error:
                log.debug("live_updates.database_unavailable", reason=str(error))
            except Exception:
                # Browsers open a new stream after this one is closed, which starts a new watcher.
                log.exception("live_updates.internal_error")
                for stream in self._watchers.pop(workspace_id).streams:
                    stream.close()
                return
            else:
                for stream in self._watchers[workspace_id].streams:
                    stream.update(newest_ids, fingerprint)
            await asyncio.sleep(self._poll_seconds)


def newest_id(ids: frozenset[str]) -> str:
    """Returns the newest of the ids from `TicketService.list_newest_ids`, or "0" without ids. The ids sort by time."""
    return max(ids, default="0")


CHANGE_FEED = web.AppKey("live", ChangeFeed)
