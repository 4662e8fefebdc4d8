"""What every channel promises, asked of each one that is listed; and that each one is listed."""

import importlib
import json
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any

import pytest

import router.channels
from router.channels import CHANNELS
from router.channels.contract import (
    Channel,
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
from router.errors import Refused
from router.outbound.client import ForbiddenAddressError, HttpResponse, OutboundError

# Settings of each channel as the API takes them, with a part that must never be shown: one line for a new channel.
SETTINGS: dict[str, tuple[dict[str, str], str]] = {
    "slack": ({"webhookUrl": "https://hooks.slack.com/services/T0/B0/verysecretpart"}, "verysecretpart"),
}
NOTICE = TicketNotification(
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


class Far:
    """A far side that does one thing."""

    def __init__(self, does: HttpResponse | OutboundError) -> None:
        self._does = does
        self.posted: list[tuple[str, Mapping[str, Any], float]] = []

    async def post_json(self, url: str, payload: Mapping[str, Any], timeout: float) -> HttpResponse:
        self.posted.append((url, payload, timeout))
        if isinstance(self._does, HttpResponse):
            return self._does
        raise self._does


def test_every_channel_is_listed() -> None:
    modules = [
        importlib.import_module(f"router.channels.{found.name}")
        for found in pkgutil.iter_modules(router.channels.__path__)
    ]
    exported = [module.CHANNEL for module in modules if hasattr(module, "CHANNEL")]
    assert {channel.kind: channel for channel in exported} == CHANNELS
    assert set(SETTINGS) == set(CHANNELS)


@pytest.fixture(params=sorted(CHANNELS))
def channel(request: pytest.FixtureRequest) -> Channel[Any]:
    return CHANNELS[request.param]


@pytest.fixture
def settings(channel: Channel[Any]) -> Any:
    return channel.parse_settings(SETTINGS[channel.kind][0])


def test_settings_are_kept_and_hidden(channel: Channel[Any], settings: Any) -> None:
    kept = json.loads(json.dumps(channel.dump_settings(settings)))
    assert channel.parse_settings(kept) == settings
    secret = SETTINGS[channel.kind][1]
    for shown in (channel.hint(settings), repr(settings), str(settings)):
        assert secret not in shown
    with pytest.raises(Refused):
        channel.parse_settings({})


def test_rendering_is_pure_json(channel: Channel[Any]) -> None:
    renderings: list[Callable[[], Payload]] = [
        lambda: channel.render(NOTICE),
        lambda: channel.render_plain(NOTICE),
        lambda: channel.render_digest([ENTRY] * channel.digest_limit),
        lambda: channel.render_test(TestMessage("Example", "Billing", 0)),
        lambda: channel.render_alert(OperatorAlert("Domain alert", "It is verified.", "Example", 0)),
    ]
    for render in renderings:
        first = json.dumps(render())
        assert first == json.dumps(render())
        assert json.loads(first)
    assert channel.render(NOTICE) != channel.render_plain(NOTICE)


@pytest.mark.parametrize(
    ("does", "kind"),
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
async def test_every_end_is_an_outcome(
    channel: Channel[Any], settings: Any, does: HttpResponse | OutboundError, kind: type[SendOutcome]
) -> None:
    far = Far(does)
    payload = channel.render(NOTICE)
    outcome = await channel.send(far, settings, payload, 3.0)
    assert type(outcome) is kind
    assert [(posted, timeout) for _, posted, timeout in far.posted] == [(payload, 3.0)]
    assert SETTINGS[channel.kind][1] not in repr(outcome)
