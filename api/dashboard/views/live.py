"""`/live`: notifies an open page of changes (server-sent events)."""

from __future__ import annotations

import asyncio

from aiohttp import web

from api.dashboard.change_feed import CHANGE_FEED, ChangeStream
from api.dashboard.page import PageRoute, Visit

# The browser reconnects after this time and is authenticated again.
STREAM_SECONDS = 300.0
HEARTBEAT_SECONDS = 15.0
MIN_EVENT_SECONDS = 0.25  # between two events, however often something changes
DISCONNECT_CHECK_SECONDS = 1.0  # a disconnected client is noticed within this time
MAX_MARKER_LENGTH = 40


async def stream_changes(visit: Visit) -> web.StreamResponse:
    """Streams events `changed`, without details, about changes that the page does not show yet.

    The query parameter `seen` is the `change_feed.newest_id` when the page was read, and `trouble` the
    `AttentionCounts.fingerprint` that the page shows.
    """
    request, workspace_id = visit.request, visit.actor.workspace_id
    feed = request.app[CHANGE_FEED]
    newest_shown = visit.query.get("seen", "~")[:MAX_MARKER_LENGTH]
    attention_shown = visit.query.get("trouble", "")[:MAX_MARKER_LENGTH]
    stream = feed.open_stream(workspace_id, newest_shown, visit.actor.user_id or "", attention_shown)
    try:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        await response.prepare(request)
        if request.method != "HEAD":
            await _send_events(request, response, stream)
        return response
    finally:
        feed.close_stream(workspace_id, stream)


async def _send_events(request: web.Request, response: web.StreamResponse, stream: ChangeStream) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + STREAM_SECONDS
    await response.write(b"retry: 2000\n\n")
    next_heartbeat, next_event = loop.time() + HEARTBEAT_SECONDS, loop.time()
    while loop.time() < end and not stream.is_closed:
        chunk = b""
        try:
            async with asyncio.timeout(DISCONNECT_CHECK_SECONDS):
                await stream.changed.wait()
        except TimeoutError:
            if loop.time() >= next_heartbeat:
                chunk = b": heartbeat\n\n"
        else:
            await asyncio.sleep(0 if stream.is_closed else next_event - loop.time())
            next_event = loop.time() + MIN_EVENT_SECONDS
            stream.changed.clear()
            chunk = b"event: changed\ndata: 1\n\n"
        if request.transport is None or request.transport.is_closing():
            return
        if chunk and not stream.is_closed:
            await response.write(chunk)
            next_heartbeat = loop.time() + HEARTBEAT_SECONDS


PAGES = (PageRoute("GET", "/live", stream_changes, "viewer", media="text/event-stream"),)
