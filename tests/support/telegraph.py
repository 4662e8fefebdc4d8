"""A channel that only tests register, and a stand-in for its service.

The class of the channel contains everything that the program needs to know about it.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from router.channels.channel import Channel
from router.channels.contract import (
    DigestEntry,
    HttpClient,
    OperatorAlert,
    Pace,
    Payload,
    SendOutcome,
    TargetMemory,
    TestMessage,
    TicketNotification,
)
from router.channels.responses import KnownError, json_object
from router.channels.settings import SettingField, Settings
from router.channels.untrusted_text import normalize_line, truncate
from router.errors import InvalidSetting
from router.outbound.client import HttpResponse
from tests.support.behaviours import FixedResponse, Post
from tests.support.webhook_stand_in import WebhookStandIn

MAX_WORDS = 300


class TelegraphChannel(Channel):
    kind = "tele_graph"
    label = "Telegraph"
    fields = (
        SettingField(name="lineUrl", label="Line URL", help="The URL of **your** line.", format="url", secret=True),
        SettingField(name="station", label="Station", help="The name of the station.", max_length=30),
        SettingField(
            name="callSign",
            label="Call sign",
            help="The call sign of the sender, such as `DL1ABC`.",
            required=False,
            pattern="[A-Z0-9]{3,8}",
            allowed="3 to 8 capital letters and digits",
        ),
        SettingField(
            name="operatorKey",
            label="Operator key",
            help="The key of the sender, if the line requires one.",
            secret=True,
            required=False,
        ),
    )
    setup_steps = ("Open <https://telegraph.test/lines?new=1>.", "Choose **Rent line** and copy its URL.")
    digest_limit = 3
    pace = Pace(per_second=0.5, burst=2)
    errors = MappingProxyType(
        {
            "line_cut": KnownError("permanent", "the line was cut"),
            "word_refused": KnownError("rejected", "a word is not allowed"),
            "too_many_dots": KnownError("payload", "the message has too many dots"),
            "operator_busy": KnownError("retry", "the operator is busy"),
        }
    )

    def parse_settings(self, values: Mapping[str, Any], *, allow_private: bool = False) -> Settings:
        settings = super().parse_settings(values, allow_private=allow_private)
        if "operatorKey" in settings and "callSign" not in settings:
            raise InvalidSetting("invalid_request", "Call sign is required with an operator key", "callSign")
        return settings

    def render(self, notification: TicketNotification) -> Payload:
        return {"form": "rich", "words": _words(notification.subject)}

    def render_plain(self, notification: TicketNotification) -> Payload:
        return {"form": "plain", "words": _words(notification.subject)}

    def render_digest(self, entries: Sequence[DigestEntry]) -> Payload:
        return {"form": "digest", "words": [_words(entry.subject) for entry in entries]}

    def render_test(self, message: TestMessage) -> Payload:
        return {"form": "test", "words": _words(message.integration_name)}

    def render_alert(self, alert: OperatorAlert) -> Payload:
        return {"form": "alert", "words": _words(alert.text)}

    async def send(
        self, client: HttpClient, settings: Settings, payload: Payload, timeout: float, memory: TargetMemory
    ) -> SendOutcome:
        key = settings.get("operatorKey")
        headers = {"Authorization": f"Key {key}"} if key else {}
        body = {"to": settings["station"], **payload}
        return await self.request(client, "POST", self.target_url(settings), body, timeout, headers=headers)

    def error_code(self, response: HttpResponse) -> str:
        code = json_object(response.body).get("fault")
        return code if isinstance(code, str) and re.fullmatch("[a-z_]{1,30}", code) else ""

    def remote_ref(self, response: HttpResponse) -> str:
        return str(json_object(response.body).get("number", ""))


TELEGRAPH = TelegraphChannel()


class TelegraphStandIn(WebhookStandIn):
    """A stand-in for lines at `/lines/NAME`."""

    def path(self, name: str = "general") -> str:
        return f"/lines/{name}"

    def answer(self, post: Post) -> FixedResponse:
        body = post.payload if isinstance(post.payload, dict) else {}
        if post.method != "POST" or post.path in self.removed_paths or not post.path.startswith("/lines/"):
            return FixedResponse(404, '{"fault": "line_cut"}')
        words = body.get("words")
        lines = words if isinstance(words, list) else [words]
        if body.keys() != {"to", "form", "words"} or not lines or not all(map(_is_acceptable, lines)):
            return FixedResponse(400, '{"fault": "word_refused"}')
        return FixedResponse(200, '{"number": 7}')


def _words(text: str) -> str:
    return truncate(normalize_line(text), MAX_WORDS) or "(empty)"


def _is_acceptable(words: object) -> bool:
    return isinstance(words, str) and 0 < len(words) <= MAX_WORDS and not re.search(r"[\x00-\x1f\ud800-\udfff]", words)
