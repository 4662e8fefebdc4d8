"""Slack stand-in of the demo: accepts webhook posts on 127.0.0.1 and queues the messages.

A post without a message is answered with an error code of Slack. The blocks of a message are validated only in tests.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

_MAX_BODY = 1024 * 1024
_MAX_UNREAD = 100  # when so many messages are queued, a post waits until one is read


@dataclass(frozen=True, slots=True)
class SlackMessage:
    """An accepted message. `path` is the path of the webhook URL."""

    path: str
    payload: dict[str, Any]

    @property
    def text(self) -> str:
        """The plain-text fallback, or ""."""
        return str(self.payload.get("text", ""))


class DemoSlack:
    """The webhooks that `run_slack` serves. Each accepted message is added to the queue `messages`."""

    def __init__(self) -> None:
        self.port = 0
        self.messages: asyncio.Queue[SlackMessage] = asyncio.Queue(_MAX_UNREAD)

    def url(self, channel: str) -> str:
        return f"http://127.0.0.1:{self.port}/services/T000/B000/{channel}"

    async def accept(self, request: web.Request) -> web.Response:
        try:
            payload = json.loads(await request.read())
        except ValueError:  # not JSON, or not valid UTF-8
            payload = None
        if not isinstance(payload, dict):
            return web.Response(status=400, text="invalid_payload")
        if not payload.get("text") and not payload.get("blocks"):
            return web.Response(status=400, text="no_text")
        await self.messages.put(SlackMessage(request.path, payload))
        return web.Response(text="ok")


@asynccontextmanager
async def run_slack() -> AsyncIterator[DemoSlack]:
    slack = DemoSlack()
    app = web.Application(client_max_size=_MAX_BODY)
    app.router.add_post("/services/{team}/{bot}/{channel}", slack.accept)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        slack.port = int(runner.addresses[0][1])
        yield slack
    finally:
        await runner.cleanup()
