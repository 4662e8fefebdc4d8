"""The Discord channel: webhooks of text channels, threads and forums, and the meaning of Discord's error codes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

from router.channels import discord_message
from router.channels.channel import Channel
from router.channels.contract import (
    DigestEntry,
    HttpClient,
    OperatorAlert,
    Pace,
    Payload,
    Remedy,
    SendFailure,
    SendOutcome,
    SendRetry,
    SendSuccess,
    TargetMemory,
    TestMessage,
    TicketNotification,
)
from router.channels.responses import MAX_RETRY_AFTER_SECONDS, KnownError, json_object
from router.channels.settings import WEBHOOK_URL, SettingField, Settings
from router.channels.webhook_url import MAX_URL_LENGTH
from router.outbound.client import HttpResponse

_ID = re.compile("[0-9]{1,20}")
_UNKNOWN_CHANNEL, _THREAD_LOCKED, _THREAD_REQUIRED, _NO_FORUM = "10003", "160005", "220001", "220003"
_IS_FORUM = "forum"  # in the memory of an integration
# Errors that a retry cannot fix, with their meaning for users.
_PERMANENT_ERRORS = {
    _UNKNOWN_CHANNEL: "the Discord channel or thread no longer exists",
    "10015": "the webhook was removed in Discord",
    "40067": "the forum requires a tag for each post: allow posts without a tag, or set the thread ID",
    "40333": "Discord blocks requests from this server",
    "50001": "the webhook has no access to the Discord channel",
    "50013": "the webhook has no permission to post in the Discord channel",
    "50027": "the webhook URL is invalid or was revoked",
    _THREAD_LOCKED: "the thread is locked in Discord",
    "220004": "the webhook cannot post in a forum",
    _THREAD_REQUIRED: "the forum requires a thread",
}
_ADD_WEBHOOK = Remedy("Add a webhook in Discord, and change the webhook URL.")
_REMEDIES = {
    _UNKNOWN_CHANNEL: Remedy("Add a webhook for another channel in Discord, and change the webhook URL."),
    "10015": _ADD_WEBHOOK,
    "50027": _ADD_WEBHOOK,
    _THREAD_LOCKED: Remedy("Unlock the thread in Discord, or change the thread ID."),
    _THREAD_REQUIRED: Remedy("Set the thread ID, or add a webhook for a text channel in Discord."),
}
_GONE_ERRORS = {
    "10008": "the message was deleted in Discord",
    "50005": "the message was sent with another webhook",
}
_REJECTED_ERRORS = {
    "200000": "automatic moderation in Discord blocked the message",
    "200001": "automatic moderation in Discord blocked the title of the thread",
    "240000": "Discord blocked a link in the message",
}
# Errors that the message causes. Discord may still accept it as plain text.
_INVALID_FORM = "50035"
_PAYLOAD_ERRORS = ("40005", "50006", _INVALID_FORM)
# Parts of a form that a setting determines, so that Discord rejects every message.
_SETTING_ERRORS = {
    "thread_id": "Discord rejects the thread ID: change the setting",
    "username": "Discord rejects the username: change the setting",
    "avatar_url": "Discord rejects the avatar URL: change the setting",
}
_RETRY_ERRORS = {
    "30046": "too many changes of older messages",
    "40004": "Discord has disabled messages temporarily",
    "40006": "Discord has disabled this feature temporarily",
    "50083": "the thread is archived until the next message in it",
    "160006": "the server has the maximum number of active threads",
}
# Requests that are answered 401, 403 or 429 can make Discord block the IP address, and 429 must not be repeated early.
_RATE_LIMIT_SECONDS = 60.0


# Discord allows 5 messages in 2 seconds and 30 in a minute. This sends at most 5, then 24 in the rest of a minute.
_PACE = Pace(per_second=0.4, burst=5)
_PAUSE_SECONDS = 1 / _PACE.per_second


class DiscordChannel(Channel):
    """Posts with a webhook of a channel."""

    kind = "discord"
    label = "Discord"
    fields = (
        replace(
            WEBHOOK_URL,
            pattern=r"https://((ptb|canary)\.)?(discord|discordapp)\.com/api/webhooks/[0-9]{1,20}/[A-Za-z0-9_-]{1,200}",
            allowed="a webhook URL of Discord, such as https://discord.com/api/webhooks/123456/abcdef",
        ),
        SettingField(
            name="threadId",
            label="Thread ID",
            help="Post in this thread of the channel. In a forum, each ticket gets its own thread if this is not set.",
            required=False,
            pattern="[1-9][0-9]{0,18}",  # a positive integer of 64 bits
            allowed="a positive number of up to 19 digits",
        ),
        SettingField(
            name="username",
            label="Username",
            help="Shown instead of the name of the webhook.",
            required=False,
            max_length=80,
            pattern="(?!.*([dD][iI][sS][cC][oO][rR][dD]|[cC][lL][yY][dD][eE])).*",
            allowed='a name without "discord" or "clyde"',
        ),
        SettingField(
            name="avatarUrl",
            label="Avatar URL",
            help="Shown instead of the picture of the webhook.",
            format="url",
            required=False,
            max_length=MAX_URL_LENGTH,
        ),
    )
    setup_steps = (
        "Open the settings of the channel in Discord, choose **Integrations**, then **Webhooks**.",
        "Choose **New Webhook**.",
        "Choose **Copy Webhook URL**: the URL starts with `https://discord.com/api/webhooks/`.",
    )
    digest_limit = discord_message.MAX_DIGEST_ENTRIES
    pace = _PACE
    errors = MappingProxyType(
        {code: KnownError("permanent", meaning) for code, meaning in _PERMANENT_ERRORS.items()}
        | {code: KnownError("gone", meaning) for code, meaning in _GONE_ERRORS.items()}
        | {code: KnownError("rejected", meaning) for code, meaning in _REJECTED_ERRORS.items()}
        | {code: KnownError("payload", "the message format was rejected") for code in _PAYLOAD_ERRORS}
        | {f"{_INVALID_FORM} {key}": KnownError("permanent", meaning) for key, meaning in _SETTING_ERRORS.items()}
        | {code: KnownError("retry", meaning) for code, meaning in _RETRY_ERRORS.items()}
    )
    remedies = MappingProxyType(_REMEDIES)
    permanent_statuses = frozenset({401, 403, 404, 410})
    can_update = True
    can_thread = True

    def render(self, notification: TicketNotification) -> Payload:
        return discord_message.render_ticket(notification)

    def render_plain(self, notification: TicketNotification) -> Payload:
        return discord_message.render_plain_ticket(notification)

    def render_digest(self, entries: Sequence[DigestEntry]) -> Payload:
        return discord_message.render_digest(entries)

    def render_test(self, message: TestMessage) -> Payload:
        return discord_message.render_test(message)

    def render_alert(self, alert: OperatorAlert) -> Payload:
        return discord_message.render_alert(alert)

    async def send(
        self, client: HttpClient, settings: Settings, payload: Payload, timeout: float, memory: TargetMemory
    ) -> SendOutcome:
        """Sends the payload. In a forum, it starts a thread of its own.

        Only a rejected message shows whether a webhook is that of a forum: the first one takes two requests.
        """
        thread_id = settings.get("threadId", "")
        starts_thread = not thread_id and memory.get(_IS_FORUM, False)
        outcome = await self._post(client, settings, payload, timeout, thread_id, starts_thread=starts_thread)
        if thread_id or _failure_code(outcome) != (_NO_FORUM if starts_thread else _THREAD_REQUIRED):
            return outcome
        memory[_IS_FORUM] = not starts_thread
        second = await self._post(client, settings, payload, timeout, starts_thread=not starts_thread)
        # The rejected request counts towards Discord's limits, too.
        return replace(second, pause=max(second.pause, _PAUSE_SECONDS)) if isinstance(second, SendSuccess) else second

    async def reply(
        self, client: HttpClient, settings: Settings, ref: str, payload: Payload, timeout: float
    ) -> SendOutcome:
        """Sends the payload to the thread that the message has started, or else where a first message is sent."""
        message = json.loads(ref)
        thread_id = settings.get("threadId") or (message["thread_id"] if message.get("own_thread") else "")
        outcome = await self._post(client, settings, payload, timeout, thread_id)
        needs_thread = _failure_code(outcome) in (_UNKNOWN_CHANNEL, _THREAD_LOCKED, _THREAD_REQUIRED)
        if isinstance(outcome, SendFailure) and needs_thread and "threadId" not in settings:
            return replace(outcome, kind="gone")
        return outcome

    async def update(
        self, client: HttpClient, settings: Settings, ref: str, payload: Payload, timeout: float
    ) -> SendOutcome:
        message = json.loads(ref)
        url = self._url(settings, f"/messages/{message['id']}", thread_id=message.get("thread_id", ""))
        # A message that was sent in plain form would otherwise hide embeds.
        outcome = await self.request(client, "PATCH", url, {"flags": 0} | payload, timeout)
        if isinstance(outcome, SendFailure) and _failure_code(outcome) == _UNKNOWN_CHANNEL:
            return replace(outcome, kind="gone")
        return outcome

    def error_code(self, response: HttpResponse) -> str:
        """Returns Discord's error code, with the name of a rejected setting if there is one."""
        body = json_object(_text(response))
        code, errors = _error_code(body), body.get("errors")
        if code == _INVALID_FORM and isinstance(errors, dict):
            return next((f"{code} {key}" for key in _SETTING_ERRORS if key in errors), code)
        return code

    def retry_after(self, response: HttpResponse, now: datetime) -> float | None:
        """Returns the delay that Discord requests. After 429 there is always one, also if the response has none."""
        if response.status != 429:
            return super().retry_after(response, now)
        headers = response.headers
        stated = json_object(_text(response)).get("retry_after"), headers.get("retry-after")
        known = [seconds for value in stated if (seconds := _parse_seconds(value)) is not None]
        date = super().retry_after(response, now)
        reset = _parse_seconds(headers.get("x-ratelimit-reset-after"))
        return next((seconds for seconds in (*known, date, reset) if seconds is not None), _RATE_LIMIT_SECONDS)

    def classify_response(self, response: HttpResponse, now: datetime) -> SendOutcome:
        outcome = super().classify_response(response, now)
        if isinstance(outcome, SendRetry) and response.status == 429:
            is_global = json_object(_text(response)).get("global") is True
            in_header = response.headers.get("x-ratelimit-global", "").strip().lower() == "true"
            return replace(outcome, is_global=is_global or in_header)
        return outcome

    def pause(self, response: HttpResponse) -> float:
        """Returns the time until the limit is reset, if this message was the last one that it allows."""
        is_used_up = response.headers.get("x-ratelimit-remaining", "").strip() == "0"
        return (_parse_seconds(response.headers.get("x-ratelimit-reset-after")) or 0.0) if is_used_up else 0.0

    def remote_ref(self, response: HttpResponse) -> str:
        """Returns the ids of the message and of its channel. `_post` completes it."""
        message = json_object(response.body)
        ref = {"id": message.get("id"), "thread_id": message.get("channel_id")}
        return json.dumps(ref) if all(isinstance(value, str) and _ID.fullmatch(value) for value in ref.values()) else ""

    async def _post(
        self,
        client: HttpClient,
        settings: Settings,
        payload: Payload,
        timeout: float,
        thread_id: str = "",
        *,
        starts_thread: bool = False,
    ) -> SendOutcome:
        """Sends a message. The reference of the result has the ID of its thread, and whether it has started that."""
        appearance = {"username": settings.get("username"), "avatar_url": settings.get("avatarUrl")}
        payload = payload | {name: value for name, value in appearance.items() if value}
        if starts_thread:
            payload["thread_name"] = discord_message.thread_name(payload)
        url = self._url(settings, wait="true", thread_id=thread_id)
        outcome = await self.request(client, "POST", url, payload, timeout)
        if not isinstance(outcome, SendSuccess) or not outcome.ref:
            return outcome
        ref = json.loads(outcome.ref)
        if starts_thread:
            ref["own_thread"] = True
        elif not thread_id:
            del ref["thread_id"]
        return replace(outcome, ref=json.dumps(ref))

    def _url(self, settings: Settings, path: str = "", **query: str) -> str:
        url, _, own_query = self.target_url(settings).partition("?")  # only the URL of a stand-in can have a query
        parameters = urlencode({name: value for name, value in query.items() if value})
        return f"{url}{path}?{'&'.join(part for part in (own_query, parameters) if part)}".removesuffix("?")


CHANNEL = DiscordChannel()


def _text(response: HttpResponse) -> str | bytes:
    return response.body or response.excerpt


def _error_code(body: Mapping[str, Any]) -> str:
    code = body.get("code")
    return str(code) if type(code) is int and code > 0 else ""  # `bool` is a subclass of `int`


def _failure_code(outcome: SendOutcome) -> str:
    """Returns the error code of a failure; "" for any other outcome."""
    return _error_code(json_object(outcome.excerpt)) if isinstance(outcome, SendFailure) else ""


def _parse_seconds(value: object) -> float | None:
    """Returns a number of seconds, at most `MAX_RETRY_AFTER_SECONDS`; None for anything else."""
    try:
        seconds = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        return None
    return min(seconds, MAX_RETRY_AFTER_SECONDS) if seconds >= 0 else None
