"""Slack stand-in of the demo: accepts webhook posts on 127.0.0.1, queues the messages, and shows them as a page.

A post without a message, or to an archived channel, is answered with an error code of Slack. The blocks of a message
are validated only in tests.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from emailrouter.demo import slack_page
from emailrouter.demo.ports import HOST
from router.clock import Clock, SystemClock
from router.model import Micros

_MAX_BODY = 1024 * 1024
_MAX_UNREAD = 100  # when so many messages are queued, a post waits until one is read
_MAX_SHOWN = 200  # messages of all channels that the page shows


@dataclass(frozen=True, slots=True)
class SlackMessage:
    """An accepted message. `channel` is the last part of the webhook URL."""

    channel: str
    payload: dict[str, Any]
    received_at: Micros

    @property
    def text(self) -> str:
        """The plain-text fallback, or ""."""
        return str(self.payload.get("text", ""))


class DemoSlack:
    """The webhooks that `run_slack` serves. Each accepted message is added to the queue `messages`.

    Posts to the channels in `archived` fail.
    """

    def __init__(self, clock: Clock) -> None:
        self.base = ""  # the base URL
        self.archived: frozenset[str] = frozenset()
        self.messages: asyncio.Queue[SlackMessage] = asyncio.Queue(_MAX_UNREAD)
        self._shown: deque[SlackMessage] = deque(maxlen=_MAX_SHOWN)
        self._clock = clock

    def url(self, channel: str) -> str:
        return f"{self.base}/services/T000/B000/{channel}"

    async def accept(self, request: web.Request) -> web.Response:
        try:
            payload = json.loads(await request.read())
        except ValueError:  # not JSON, or not valid UTF-8
            payload = None
        if not isinstance(payload, dict):
            return web.Response(status=400, text="invalid_payload")
        if not payload.get("text") and not payload.get("blocks"):
            return web.Response(status=400, text="no_text")
        channel = request.match_info["channel"]
        if channel in self.archived:
            return web.Response(status=410, text="channel_is_archived")
        message = SlackMessage(channel, payload, self._clock.now())
        self._shown.append(message)
        await self.messages.put(message)
        return web.Response(text="ok")

    async def show(self, request: web.Request) -> web.Response:
        """Shows the messages of a channel; without a name, of the channel of the newest message."""
        channels = sorted({message.channel for message in self._shown} | self.archived)
        newest = self._shown[-1].channel if self._shown else ""
        shown = request.match_info.get("channel", newest)
        messages = [(each.received_at, each.payload) for each in self._shown if each.channel == shown]
        page = slack_page.render(channels, shown, messages, is_archived=shown in self.archived)
        return web.Response(text=page, content_type="text/html", headers=slack_page.HEADERS)


@asynccontextmanager
async def run_slack(
    port: int = 0, *, clock: Clock | None = None, routes: Iterable[web.RouteDef] = ()
) -> AsyncIterator[DemoSlack]:
    """Runs the stand-in, which also serves `routes`."""
    slack = DemoSlack(clock or SystemClock())
    app = web.Application(client_max_size=_MAX_BODY)
    app.router.add_post("/services/{team}/{bot}/{channel}", slack.accept)
    app.router.add_get("/", slack.show)
    app.router.add_get("/channels/{channel}", slack.show)
    app.router.add_routes(routes)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
        slack.base = f"http://{HOST}:{runner.addresses[0][1]}"
        yield slack
    finally:
        await runner.cleanup()
