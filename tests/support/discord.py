"""A stand-in for Discord's webhooks, which answers by the rules in `discord_rules` and keeps the messages."""

import json
import re
from dataclasses import dataclass
from typing import Any

from tests.support.behaviours import FixedResponse, Post
from tests.support.discord_rules import body_errors
from tests.support.webhook_stand_in import WebhookStandIn

_PATH = re.compile(r"/api/webhooks/[0-9]+/[A-Za-z0-9_-]+(/messages/(?P<message>[0-9]+))?")
CHANNEL_ID = "900"
_WEBHOOK_ID = 100


@dataclass
class DiscordMessage:
    """A message as shown in the channel."""

    body: dict[str, Any]
    channel_id: str


@dataclass
class DiscordThread:
    name: str
    is_deleted: bool = False
    is_locked: bool = False


class DiscordStandIn(WebhookStandIn):
    """A stand-in for Discord.

    Attributes:
        messages: The messages by id, oldest first; delete one to remove it from the channel.
        threads: The threads by id.
        is_forum: Whether the channel accepts messages only in threads.
    """

    def __init__(self, *, is_forum: bool = False, last_id: int = 1000) -> None:
        """last_id: the id before that of the first message."""
        super().__init__()
        self.messages: dict[str, DiscordMessage] = {}
        self.threads: dict[str, DiscordThread] = {}
        self.is_forum = is_forum
        self._last_id = last_id

    def path(self, name: str = "general") -> str:
        return f"/api/webhooks/{_WEBHOOK_ID}/{name}"

    def answer(self, post: Post) -> FixedResponse:
        match = _PATH.fullmatch(post.path)
        if match is None:
            return _error(404, 0, "404: Not Found")
        message_id = match["message"]
        if post.path.removesuffix(f"/messages/{message_id}") in self.removed_paths:
            return _error(404, 10015, "Unknown Webhook")
        if post.method != ("POST" if message_id is None else "PATCH"):
            return _error(405, 0, "405: Method Not Allowed")
        if errors := list(body_errors(post.payload)):
            return _error(400, 50035, f"Invalid Form Body: {errors}")
        thread_id = post.query.get("thread_id")
        if thread_id is not None and (thread_id not in self.threads or self.threads[thread_id].is_deleted):
            return _error(404, 10003, "Unknown Channel")
        return self._create(post) if message_id is None else self._edit(message_id, post)

    def _create(self, post: Post) -> FixedResponse:
        thread_id, name = post.query.get("thread_id"), post.payload.get("thread_name")
        if thread_id is not None and self.threads[thread_id].is_locked:
            return _error(400, 160005, "Thread is locked")
        if self.is_forum and thread_id is None and name is None:
            return _error(400, 220001, "Webhooks posted to forum channels must have a thread_name or thread_id")
        if name is not None:
            if not self.is_forum:
                return _error(400, 220003, "Webhooks can only create threads in forum channels")
            thread_id = self._next_id()
            self.threads[thread_id] = DiscordThread(name)
        message_id = self._next_id()
        self.messages[message_id] = DiscordMessage(post.payload, thread_id or CHANNEL_ID)
        if post.query.get("wait") != "true":
            return FixedResponse(204, "")
        return self._message_response(message_id)

    def _edit(self, message_id: str, post: Post) -> FixedResponse:
        message = self.messages.get(message_id)
        if message is None or message.channel_id != post.query.get("thread_id", CHANNEL_ID):
            return _error(404, 10008, "Unknown Message")
        message.body = message.body | post.payload
        return self._message_response(message_id)

    def _message_response(self, message_id: str) -> FixedResponse:
        message = self.messages[message_id]
        body = {"type": 0, "content": message.body["content"], "embeds": message.body["embeds"]}
        body |= {"id": message_id, "channel_id": message.channel_id, "webhook_id": str(_WEBHOOK_ID)}
        return FixedResponse(200, json.dumps(body), {"Content-Type": "application/json"})

    def _next_id(self) -> str:
        self._last_id += 1
        return str(self._last_id)


def _error(status: int, code: int, message: str) -> FixedResponse:
    return FixedResponse(status, json.dumps({"message": message, "code": code}), {"Content-Type": "application/json"})
