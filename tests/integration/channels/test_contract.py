"""The contract that every listed channel must satisfy, and one whose settings have other names than theirs."""

import importlib
import json
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

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
from tests.support.telegraph import TELEGRAPH, TelegraphStandIn
from tests.support.webhook_stand_in import WebhookStandIn

SECRET = "verysecretpart"


@dataclass(frozen=True)
class Registration:
    """What the contract needs to know about a channel.

    Attributes:
        stand_in: A stand-in for the service.
        settings: Returns valid settings as in the API, with every secret one, for a URL of the service.
        url: A URL of the service. The settings for it contain `SECRET` in each secret one.
        success: The body of a response that means that the message was accepted.
    """

    stand_in: type[WebhookStandIn]
    settings: Callable[[str], dict[str, str]]
    url: str
    success: str = "ok"


def webhook_url(url: str) -> dict[str, str]:
    return {"webhookUrl": url}


REGISTRATIONS = {
    "discord": Registration(DiscordStandIn, webhook_url, f"https://discord.com/api/webhooks/42/{SECRET}"),
    "slack": Registration(SlackStandIn, webhook_url, f"https://hooks.slack.com/services/T0/B0/{SECRET}"),
    TELEGRAPH.kind: Registration(
        TelegraphStandIn,
        lambda url: {"lineUrl": url, "station": "Kiel", "callSign": "DL1ABC", "operatorKey": SECRET},
        f"https://telegraph.test/lines/{SECRET}",
        success='{"number": 7}',
    ),
}
TESTED = {**CHANNELS, TELEGRAPH.kind: TELEGRAPH}
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
    assert set(REGISTRATIONS) == set(TESTED)


@pytest.fixture(params=sorted(TESTED))
def channel(request: pytest.FixtureRequest) -> Channel:
    return TESTED[request.param]


@pytest.fixture
def registration(channel: Channel) -> Registration:
    return REGISTRATIONS[channel.kind]


@pytest.fixture
def settings(channel: Channel, registration: Registration) -> Settings:
    return channel.parse_settings(registration.settings(registration.url))


def test_settings_round_trip_and_are_masked(channel: Channel, settings: Settings) -> None:
    stored = json.loads(json.dumps(settings))
    assert channel.parse_settings(stored) == settings
    assert all(SECRET in settings[field.name] for field in channel.fields if field.secret)
    for shown in (channel.hint(settings), repr(settings), str(settings), repr(channel.public_settings(settings))):
        assert SECRET not in shown
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
    can_be_rejected = any(error.kind == "payload" for error in channel.errors.values())
    assert not can_be_rejected or channel.render(NOTIFICATION) != channel.render_plain(NOTIFICATION)


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        (None, SendSuccess),
        (HttpResponse(302), SendFailure),
        (HttpResponse(404), SendFailure),
        (HttpResponse(429, {"retry-after": "5"}), SendRetry),
        (HttpResponse(503), SendRetry),
        (OutboundError("connection refused"), SendRetry),
        (ForbiddenAddressError("address 10.0.0.1 is private"), SendFailure),
    ],
)
async def test_every_result_is_an_outcome(
    channel: Channel,
    registration: Registration,
    settings: Settings,
    result: HttpResponse | OutboundError | None,
    kind: type[SendOutcome],
) -> None:
    """result: None is the success of the service."""
    client = FakeClient(HttpResponse(200, {}, registration.success, 5) if result is None else result)
    payload = channel.render(NOTIFICATION)
    outcome = await channel.send(client, settings, payload, 3.0, {})
    assert type(outcome) is kind
    ((method, body, timeout),) = client.requests
    assert (method, body | payload, timeout) == ("POST", body, 3.0), "settings can add to the payload"
    assert SECRET not in repr(outcome)


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
async def test_the_service_accepts_hostile_messages(channel: Channel, registration: Registration, name: str) -> None:
    async with registration.stand_in() as service, outbound_client() as client:
        settings = channel.parse_settings(registration.settings(service.url()), allow_private=True)
        for payload in (channel.render(HOSTILE[name]), channel.render_plain(HOSTILE[name])):
            outcome = await channel.send(client, settings, payload, 10, {})
            assert isinstance(outcome, SendSuccess), outcome
    for post in service.posts:
        shown = post.raw.decode()
        assert not set(shown) & set("\x00\x1b\u202e\u2066\u2067")
        assert len(post.raw) < 64 * 1024


async def test_the_service_accepts_the_other_messages(channel: Channel, registration: Registration) -> None:
    text = "<!channel> @everyone " * 500
    payloads = [
        channel.render_digest(maximum_entries(text, channel.digest_limit)),
        channel.render_digest([ENTRY]),
        channel.render_test(TestMessage(text, text, 0)),
        channel.render_alert(OperatorAlert("Domain alert", text, text, 0)),
    ]
    async with registration.stand_in() as service, outbound_client() as client:
        settings = channel.parse_settings(registration.settings(service.url()), allow_private=True)
        for payload in payloads:
            outcome = await channel.send(client, settings, payload, 10, {})
            assert isinstance(outcome, SendSuccess), outcome
