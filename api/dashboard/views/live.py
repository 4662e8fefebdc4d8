"""`/live`: tells a page that is open that something changed (server-sent events)."""

from __future__ import annotations

import asyncio

from aiohttp import web

from api.dashboard.change_feed import LIVE, Stream
from api.dashboard.page import Page, Visit

# A stream's longest life: then the browser comes back, and is asked who it is again.
LIFE = 300.0
_BEAT = 15.0
_GONE_AFTER = 1.0  # seconds at most until the place of a client that is gone is free again
_MOST_SEEN = 40


async def listen(visit: Visit) -> web.StreamResponse:
    """Nothing but `changed`; what it was the page asks for itself.

    `seen`: the newest that the page shows; `trouble`: its `AttentionCounts.fingerprint`.
    """
    request, workspace_id = visit.request, visit.actor.workspace_id
    live = request.app[LIVE]
    seen, trouble = visit.query.get("seen", "~")[:_MOST_SEEN], visit.query.get("trouble", "")[:_MOST_SEEN]
    stream = live.open(workspace_id, seen, visit.actor.user_id or "", trouble)
    try:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        await response.prepare(request)
        if request.method != "HEAD":
            await _tell(request, response, stream)
        return response
    finally:
        live.close_stream(workspace_id, stream)


async def _tell(request: web.Request, response: web.StreamResponse, stream: Stream) -> None:
    """Until the life of the stream is over, its process stops or its client is gone."""
    loop = asyncio.get_running_loop()
    end = loop.time() + LIFE
    await response.write(b"retry: 2000\n\n")
    beat = loop.time() + _BEAT
    while loop.time() < end and not stream.ended:
        piece = b""
        try:
            async with asyncio.timeout(_GONE_AFTER):
                await stream.changed.wait()
        except TimeoutError:
            if loop.time() >= beat:
                piece = b": still here\n\n"
        else:
            stream.changed.clear()
            piece = b"event: changed\ndata: 1\n\n"
        if request.transport is None or request.transport.is_closing():
            return
        if piece and not stream.ended:
            await response.write(piece)
            beat = loop.time() + _BEAT


PAGES = (Page("GET", "/live", listen, "viewer", media="text/event-stream"),)
