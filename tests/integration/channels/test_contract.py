"""The contract that every listed channel must satisfy."""

import importlib
import json
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

import router.channels
from router.channels import CHANNELS
from router.channels.channel import Channel
from router.channels.contract import (
    DigestEntry,
    OperatorAlert,
    Payload,
    SendFailure,
    SendOutcome,
    SendRetry,
    SendSuccess,
    TestMessage,
    TicketNotification,
)
from router.channels.settings import Settings
from router.errors import Refused
from router.outbound.client import ForbiddenAddressError, HttpResponse, OutboundError
from tests.support.discord import DiscordStandIn
from tests.support.notifications import NOTIFICATIONS, OPENED, maximum_entries, with_maximum_fields
from tests.support.outcomes import outbound_client
from tests.support.slack import SlackStandIn
from tests.support.webhook_stand_in import WebhookStandIn

# For each channel: valid settings as in the API, the part of them that is secret, and a stand-in for the service.
SETTINGS: dict[str, tuple[dict[str, str], str, type[WebhookStandIn]]] = {
    "discord": ({"webhookUrl": "https://discord.com/api/webhooks/42/verysecretpart"}, "verysecretpart", DiscordStandIn),
    "slack": ({"webhookUrl": "https://hooks.slack.com/services/T0/B0/verysecretpart"}, "verysecretpart", SlackStandIn),
}
NOTIFICATION = TicketNotification(
    "opened",
    "ticket_1",
    42,
    "Subject",
    "Ana",
    "ana@c.test",
    "help@o.test",
    "open",
    0,
    "Text",
    link="https://o.test/t/1",
)
ENTRY = DigestEntry("opened", 42, "Subject", "ana@c.test", "help@o.test")


class FakeClient:
    """An HTTP client with a fixed result."""

    def __init__(self, result: HttpResponse | OutboundError) -> None:
        self._result = result
        self.requests: list[tuple[str, Payload, float]] = []

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes, timeout: float
    ) -> HttpResponse:
        assert headers["Content-Type"].startswith("application/json")
        self.requests.append((method, json.loads(body), timeout))
        if isinstance(self._result, HttpResponse):
            return self._result
        raise self._result


def test_every_channel_is_listed() -> None:
    modules = [
        importlib.import_module(f"router.channels.{module.name}")
        for module in pkgutil.iter_modules(router.channels.__path__)
    ]
    exported = [module.CHANNEL for module in modules if hasattr(module, "CHANNEL")]
    assert {channel.kind: channel for channel in exported} == CHANNELS
    assert set(SETTINGS) == set(CHANNELS)


@pytest.fixture(params=sorted(CHANNELS))
def channel(request: pytest.FixtureRequest) -> Channel:
    return CHANNELS[request.param]


@pytest.fixture
def settings(channel: Channel) -> Settings:
    return channel.parse_settings(SETTINGS[channel.kind][0])


def test_settings_round_trip_and_are_masked(channel: Channel, settings: Settings) -> None:
    stored = json.loads(json.dumps(settings))
    assert channel.parse_settings(stored) == settings
    secret = SETTINGS[channel.kind][1]
    for shown in (channel.hint(settings), repr(settings), str(settings)):
        assert secret not in shown
    with pytest.raises(Refused):
        channel.parse_settings({})


def test_rendering_is_deterministic_json(channel: Channel) -> None:
    renderings: list[Callable[[], Payload]] = [
        lambda: channel.render(NOTIFICATION),
        lambda: channel.render_plain(NOTIFICATION),
        lambda: channel.render_digest([ENTRY] * channel.digest_limit),
        lambda: channel.render_test(TestMessage("Example", "Billing", 0)),
        lambda: channel.render_alert(OperatorAlert("Domain alert", "It is verified.", "Example", 0)),
    ]
    for render in renderings:
        first = json.dumps(render())
        assert first == json.dumps(render())
        assert json.loads(first)
    assert channel.render(NOTIFICATION) != channel.render_plain(NOTIFICATION)


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        (HttpResponse(200, {}, "ok", 5), SendSuccess),
        (HttpResponse(302), SendFailure),
        (HttpResponse(404), SendFailure),
        (HttpResponse(429, {"retry-after": "5"}), SendRetry),
        (HttpResponse(503), SendRetry),
        (OutboundError("connection refused"), SendRetry),
        (ForbiddenAddressError("address 10.0.0.1 is private"), SendFailure),
    ],
)
async def test_every_result_is_an_outcome(
    channel: Channel, settings: Settings, result: HttpResponse | OutboundError, kind: type[SendOutcome]
) -> None:
    client = FakeClient(result)
    payload = channel.render(NOTIFICATION)
    outcome = await channel.send(client, settings, payload, 3.0)
    assert type(outcome) is kind
    assert client.requests == [("POST", payload, 3.0)]
    assert SETTINGS[channel.kind][1] not in repr(outcome)


# Notifications that a service could reject, show incompletely, or treat as markup.
HOSTILE = {
    **NOTIFICATIONS,
    "maximum": with_maximum_fields("\U0001f4ec<@" * 2000),
    "large_subject": replace(OPENED, subject="Re: *[a](https://evil.example)* " * 32_000),
    "mentions": replace(OPENED, subject="@everyone <!channel>", text="@here <@42> <@&42> <#42> <!here> @channel"),
    "directions": replace(OPENED, subject="\u202egpj.exe\u2066", from_name="\u202eana", text="\u202e\u2067a\u2069"),
    "surrogates": replace(OPENED, subject="\ud83d", from_name="\udcff", from_address="\ud800@\udfff", text="a\ud83db"),
    "controls": replace(OPENED, subject="\x00", from_name="\x1b[0m", text="\x00\x07\r\x85\u2028"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_the_service_accepts_hostile_messages(channel: Channel, name: str) -> None:
    async with SETTINGS[channel.kind][2]() as service, outbound_client() as client:
        settings = channel.parse_settings({"webhookUrl": service.url()}, allow_private=True)
        for payload in (channel.render(HOSTILE[name]), channel.render_plain(HOSTILE[name])):
            outcome = await channel.send(client, settings, payload, 10)
            assert isinstance(outcome, SendSuccess), outcome
    for post in service.posts:
        shown = post.raw.decode()
        assert not set(shown) & set("\x00\x1b\u202e\u2066\u2067")
        assert len(post.raw) < 64 * 1024


async def test_the_service_accepts_the_other_messages(channel: Channel) -> None:
    text = "<!channel> @everyone " * 500
    payloads = [
        channel.render_digest(maximum_entries(text, channel.digest_limit)),
        channel.render_digest([ENTRY]),
        channel.render_test(TestMessage(text, text, 0)),
        channel.render_alert(OperatorAlert("Domain alert", text, text, 0)),
    ]
    async with SETTINGS[channel.kind][2]() as service, outbound_client() as client:
        settings = channel.parse_settings({"webhookUrl": service.url()}, allow_private=True)
        for payload in payloads:
            outcome = await channel.send(client, settings, payload, 10)
            assert isinstance(outcome, SendSuccess), outcome
