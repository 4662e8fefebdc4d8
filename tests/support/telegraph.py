"""A channel that only tests register. Its module contains everything that the program needs to know about it."""

import re
from collections.abc import Sequence
from types import MappingProxyType

from router.channels.channel import Channel
from router.channels.contract import DigestEntry, OperatorAlert, Pace, Payload, TestMessage, TicketNotification
from router.channels.responses import KnownError, json_object
from router.channels.settings import SettingField
from router.outbound.client import HttpResponse


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

    def render(self, notification: TicketNotification) -> Payload:
        return {"form": "rich", "words": notification.subject}

    def render_plain(self, notification: TicketNotification) -> Payload:
        return {"form": "plain", "words": notification.subject}

    def render_digest(self, entries: Sequence[DigestEntry]) -> Payload:
        return {"form": "digest", "words": [entry.subject for entry in entries]}

    def render_test(self, message: TestMessage) -> Payload:
        return {"form": "test", "words": message.integration_name}

    def render_alert(self, alert: OperatorAlert) -> Payload:
        return {"form": "alert", "words": alert.text}

    def error_code(self, response: HttpResponse) -> str:
        code = json_object(response.body).get("fault")
        return code if isinstance(code, str) and re.fullmatch("[a-z_]{1,30}", code) else ""

    def remote_ref(self, response: HttpResponse) -> str:
        return str(json_object(response.body).get("number", ""))


TELEGRAPH = TelegraphChannel()
