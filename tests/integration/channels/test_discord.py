"""The Discord channel: valid settings, its pace, and the outcome of each response."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.channels.contract import SendRetry, SendSuccess
from router.channels.discord import CHANNEL
from router.channels.responses import MAX_RETRY_AFTER_SECONDS
from router.clock import SECOND
from router.dispatch import pacing
from router.errors import Refused
from router.outbound.client import HttpResponse
from tests.support.outcomes import outcome_kind

NOW = datetime(2025, 11, 22, 12, 0, tzinfo=UTC)
WEBHOOK_URL = "https://discord.com/api/webhooks/123456789012345678/Abc-def_123"


def _error(status: int, code: int) -> HttpResponse:
    return HttpResponse(status, {}, json.dumps({"message": "Some text", "code": code}), 7)


# --- settings


@pytest.mark.parametrize(
    "url",
    [
        WEBHOOK_URL,
        "https://discordapp.com/api/webhooks/1/a",
        "https://ptb.discord.com/api/webhooks/1/a",
        "https://canary.discord.com/api/webhooks/1/a",
        "https://canary.discordapp.com/api/webhooks/1/a",
    ],
)
def test_valid_urls(url: str) -> None:
    settings = CHANNEL.parse_settings({"webhookUrl": f" {url.replace('discord', 'Discord', 1)}\n"})
    assert settings == {"webhookUrl": url}
    assert CHANNEL.hint(settings).startswith(url[: url.index("/", 8)])


@pytest.mark.parametrize(
    "url",
    [
        "http://discord.com/api/webhooks/1/a",
        "https://discord.com/api/webhooks/1",
        "https://discord.com/api/webhooks/1/",
        "https://discord.com/api/webhooks/x/a",
        "https://discord.com/api/webhooks/1/a/slack",
        "https://discord.com/api/webhooks/1/a?wait=true",
        "https://discord.com/api/v10/webhooks/1/a",
        "https://discord.com:8443/api/webhooks/1/a",
        "https://discord.com./api/webhooks/1/a",
        "https://discord.com.evil.example/api/webhooks/1/a",
        "https://evil.example/discord.com/api/webhooks/1/a",
        "https://evildiscord.com/api/webhooks/1/a",
        "https://stable.discord.com/api/webhooks/1/a",
        "https://hooks.slack.com/services/T/B/X",
        "https://127.0.0.1/api/webhooks/1/a",
    ],
)
def test_invalid_urls(url: str) -> None:
    with pytest.raises(Refused) as refused:
        CHANNEL.parse_settings({"webhookUrl": url})
    assert (refused.value.code, refused.value.field) == ("invalid_webhook_url", "webhookUrl")


def test_private_networks_allow_a_stand_in() -> None:
    url = "http://127.0.0.1:8065/hooks/x"
    assert CHANNEL.parse_settings({"webhookUrl": url}, allow_private=True) == {"webhookUrl": url}
    assert CHANNEL.parse_settings({"webhookUrl": WEBHOOK_URL}, allow_private=True) == {"webhookUrl": WEBHOOK_URL}


def test_optional_settings() -> None:
    values = {"threadId": "42", "username": "Help desk", "avatarUrl": "https://example.com/a.png"}
    settings = CHANNEL.parse_settings({"webhookUrl": WEBHOOK_URL, **values})
    assert settings == {"webhookUrl": WEBHOOK_URL, **values}
    assert CHANNEL.public_settings(settings) == values


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("threadId", "general"),
        ("threadId", "\u0663"),
        ("threadId", "0"),
        ("threadId", "007"),
        ("threadId", "99999999999999999999"),
        ("username", "x" * 81),
        ("username", "My DisCord bot"),
        ("username", "clyde"),
        ("username", "a\nb"),
        ("avatarUrl", "picture.png"),
        ("avatarUrl", "http://example.com/a.png"),
        ("channel", "#general"),
    ],
)
def test_invalid_optional_settings(name: str, value: str) -> None:
    with pytest.raises(Refused) as refused:
        CHANNEL.parse_settings({"webhookUrl": WEBHOOK_URL, name: value})
    assert refused.value.field == name


def test_pace_is_within_both_rates_of_discord() -> None:
    pace = CHANNEL.pace
    assert pace is not None
    sent: list[int] = []
    paced_at = now = 0
    while len(sent) < 100:
        wait, paced_at = pacing.admit(paced_at, now, pace.per_second, pace.burst)
        if wait:
            now += wait
        else:
            sent.append(now)
    for limit, seconds in ((5, 2), (30, 60)):
        assert all(later - earlier > seconds * SECOND for earlier, later in zip(sent, sent[limit:], strict=False))


# --- responses


RESPONSES = [
    (400, 50035, "payload"),
    (400, 50006, "payload"),
    (413, 40005, "payload"),
    (401, 50027, "permanent"),
    (401, 0, "permanent"),
    (403, 50013, "permanent"),
    (403, 50001, "permanent"),
    (403, 40333, "permanent"),
    (403, 0, "permanent"),
    (404, 10015, "permanent"),
    (404, 10003, "permanent"),
    (404, 0, "permanent"),
    (410, 0, "permanent"),
    (400, 40067, "permanent"),
    (400, 160005, "permanent"),
    (400, 220001, "permanent"),
    (400, 220004, "permanent"),
    (404, 10008, "gone"),
    (403, 50005, "gone"),
    (400, 50083, "SendRetry"),
    (400, 160006, "SendRetry"),
    (400, 200000, "rejected"),
    (400, 200001, "rejected"),
    (400, 240000, "rejected"),
    (400, 1, "rejected"),
    (405, 0, "rejected"),
    (302, 0, "rejected"),
    (400, 40004, "SendRetry"),
    (400, 40006, "SendRetry"),
    (400, 30046, "SendRetry"),
    (429, 0, "SendRetry"),
    (429, 10015, "SendRetry"),
    (500, 0, "SendRetry"),
    (503, 130000, "SendRetry"),
    (200, 50035, "SendSuccess"),
    (204, 0, "SendSuccess"),
]


@pytest.mark.parametrize(("status", "code", "expected"), RESPONSES)
def test_responses(status: int, code: int, expected: str) -> None:
    outcome = CHANNEL.classify_response(_error(status, code), NOW)
    assert outcome_kind(outcome) == expected
    if not isinstance(outcome, SendSuccess):
        assert outcome.reason.startswith(f"Discord returned {status}")
        assert not code or str(code) in outcome.reason


def test_every_error_of_the_table_is_tested() -> None:
    assert {code.partition(" ")[0] for code in CHANNEL.errors} <= {str(code) for _, code, _ in RESPONSES}


@pytest.mark.parametrize(
    ("key", "expected"),
    [("username", "permanent"), ("avatar_url", "permanent"), ("thread_id", "permanent"), ("embeds", "payload")],
)
def test_rejected_settings_stop_the_integration(key: str, expected: str) -> None:
    body = {"code": 50035, "message": "Invalid Form Body", "errors": {key: {"_errors": [{"code": "INVALID"}]}}}
    outcome = CHANNEL.classify_response(HttpResponse(400, {}, json.dumps(body)), NOW)
    assert outcome_kind(outcome) == expected


@pytest.mark.parametrize(
    "body", ["", "[1]", "{" * 5000, '{"code": "10015"}', '{"code": true}', '{"code": null}', '{"code": -1}', "<html>"]
)
def test_unknown_bodies_are_classified_by_their_status(body: str) -> None:
    assert [
        outcome_kind(CHANNEL.classify_response(HttpResponse(status, {}, body), NOW)) for status in (400, 404, 500)
    ] == [
        "rejected",
        "permanent",
        "SendRetry",
    ]


@pytest.mark.parametrize(
    ("body", "headers", "seconds"),
    [
        ({"retry_after": 64.57}, {"retry-after": "65"}, 64.57),
        ({"retry_after": 0}, {}, 0.0),
        ({}, {"retry-after": "0.529"}, 0.529),
        ({}, {"retry-after": "7"}, 7.0),
        ({}, {"retry-after": "Sat, 22 Nov 2025 12:00:45 GMT"}, 45.0),
        ({}, {"x-ratelimit-reset-after": "1.5"}, 1.5),
        ({"retry_after": "soon"}, {"retry-after": "-1", "x-ratelimit-reset-after": "nan"}, 60.0),
        ({"retry_after": 1e300}, {}, MAX_RETRY_AFTER_SECONDS),
        ({"retry_after": [1]}, {}, 60.0),
        ({}, {}, 60.0),
    ],
)
def test_retry_after(body: object, headers: dict[str, str], seconds: float) -> None:
    outcome = CHANNEL.classify_response(HttpResponse(429, headers, json.dumps(body)), NOW)
    assert isinstance(outcome, SendRetry)
    assert outcome.retry_after == seconds


@pytest.mark.parametrize(
    ("remaining", "reset_after", "pause"),
    [("0", "1.5", 1.5), ("1", "1.5", 0.0), ("0", "soon", 0.0), ("0", "1e9", MAX_RETRY_AFTER_SECONDS)],
)
def test_the_last_message_that_a_limit_allows(remaining: str, reset_after: str, pause: float) -> None:
    headers = {"x-ratelimit-remaining": remaining, "x-ratelimit-reset-after": reset_after}
    outcome = CHANNEL.classify_response(HttpResponse(200, headers), NOW)
    assert isinstance(outcome, SendSuccess)
    assert outcome.pause == pause


def test_a_fault_of_the_server_requests_no_delay() -> None:
    outcome = CHANNEL.classify_response(HttpResponse(503, {"x-ratelimit-reset-after": "5"}), NOW)
    assert isinstance(outcome, SendRetry)
    assert outcome.retry_after is None


@given(st.integers(100, 999), st.text() | st.builds(json.dumps, st.dictionaries(st.text(), st.floats())), st.text())
def test_any_response_is_an_outcome(status: int, body: str, retry_after: str) -> None:
    CHANNEL.classify_response(HttpResponse(status, {"retry-after": retry_after}, body, 0, body.encode()), NOW)
