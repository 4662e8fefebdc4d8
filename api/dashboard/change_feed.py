"""Notifies open pages of changes.

A change through this process is reported at once, any other change after at most `POLL_SECONDS`: one query reads the
newest changes of all workspaces with an open stream. A stream only signals that something changed. The page then loads
its contents again, with the rights of its user.
"""

from __future__ import annotations

import asyncio

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from api.request_keys import CALLER
from router.admin.installation.attention import AttentionService
from router.admin.tickets.tickets import TicketService
from router.errors import Unavailable
from router.model import Actor

POLL_SECONDS = 0.3
MIN_POLL_SECONDS = 0.05  # between two queries, however many requests change something
MAX_STREAMS = 200  # fewer than the 1000 connections that the HTTP server of a process accepts
MAX_STREAMS_PER_USER = 20  # so that one user cannot use up all streams
_SAFE_METHODS = frozenset({"GET", "HEAD"})
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

    def update_ids(self, ids: frozenset[str]) -> None:
        before = {id_ for id_ in ids if id_ <= self._newest_shown} if self._known_ids is None else self._known_ids
        if ids - before:
            self.changed.set()
        self._known_ids = ids

    def update_attention(self, attention: str) -> None:
        if self._attention_shown and attention != self._attention_shown:
            self.changed.set()
        self._attention_shown = attention

    def close(self) -> None:
        self.is_closed = True
        self.changed.set()


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
        self._streams: dict[str, set[ChangeStream]] = {}  # by workspace, none of them empty
        self._task: asyncio.Task[None] | None = None  # runs while a stream is open
        self._is_due = asyncio.Event()
        self._is_closed = False

    @property
    def stream_count(self) -> int:
        return sum(map(len, self._streams.values()))

    def open_stream(
        self, workspace_id: str, newest_shown: str, user_id: str = "", attention_shown: str = ""
    ) -> ChangeStream:
        """Opens a stream, which the caller must close with `close_stream`.

        Raises `Unavailable` if too many streams are open, or after `close`.
        """
        if self._is_closed or self.stream_count >= self._max_streams:
            raise Unavailable("too many open event streams")
        of_user = sum(stream.user_id == user_id for stream in self._streams.get(workspace_id, ()))
        if of_user >= MAX_STREAMS_PER_USER:
            raise Unavailable("too many open event streams for this user")
        stream = ChangeStream(newest_shown, user_id, attention_shown)
        self._streams.setdefault(workspace_id, set()).add(stream)
        self._is_due.set()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="live updates")
        return stream

    def close_stream(self, workspace_id: str, stream: ChangeStream) -> None:
        streams = self._streams.get(workspace_id, set())
        streams.discard(stream)
        if not streams:
            self._streams.pop(workspace_id, None)
        if not self._streams and self._task is not None:
            self._task.cancel()
            self._task = None

    def check_now(self, workspace_id: str) -> None:
        """Queries the changes as soon as possible. Does nothing without an open page of the workspace."""
        if workspace_id in self._streams:
            self._is_due.set()

    async def close(self) -> None:
        """Closes all streams, so that shutdown does not wait for them, and refuses new ones. Safe to call twice."""
        self._is_closed = True
        task, self._task = self._task, None
        self._close_streams()
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _close_streams(self) -> None:
        for streams in self._streams.values():
            for stream in streams:
                stream.close()
        self._streams.clear()

    async def _run(self) -> None:
        while True:
            self._is_due.clear()
            try:
                await self._poll()
            except Unavailable as error:
                log.debug("live_updates.database_unavailable", reason=str(error))
            except Exception:
                # Browsers open a new stream after this one is closed, which starts a new task.
                log.exception("live_updates.internal_error")
                self._task = None
                self._close_streams()
                return
            await asyncio.sleep(min(MIN_POLL_SECONDS, self._poll_seconds))
            try:
                async with asyncio.timeout(self._poll_seconds - MIN_POLL_SECONDS):
                    await self._is_due.wait()
            except TimeoutError:
                pass  # it is time to poll

    async def _poll(self) -> None:
        ids = await self._tickets.list_newest_ids_by_workspace()
        for workspace_id, streams in self._streams.items():
            for stream in streams:
                stream.update_ids(ids.get(workspace_id, frozenset()))
        for workspace_id in tuple(self._streams):
            fingerprint = (await self._attention.get_counts(Actor(workspace_id, "viewer"))).fingerprint
            for stream in self._streams.get(workspace_id, ()):
                stream.update_attention(fingerprint)


def report_changes(feed: ChangeFeed) -> Middleware:
    """Builds the middleware that makes `feed` report what requests to this process change."""

    @web.middleware
    async def report(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        caller = request.get(CALLER)
        if caller is not None and request.method not in _SAFE_METHODS:
            feed.check_now(caller.actor.workspace_id)
        return response

    return report


def newest_id(ids: frozenset[str]) -> str:
    """Returns the newest of the ids from `TicketService.list_newest_ids`, or "0" without ids. The ids sort by time."""
    return max(ids, default="0")


CHANGE_FEED = web.AppKey("live", ChangeFeed)
