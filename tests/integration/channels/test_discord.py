"""The Discord channel: valid settings, the outcome of each response, threads and forums."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.channels.contract import SendFailure, SendOutcome, SendRetry, SendSuccess, TestMessage
from router.channels.discord import CHANNEL, DiscordChannel
from router.channels.responses import MAX_RETRY_AFTER_SECONDS
from router.clock import SECOND
from router.dispatch import pacing
from router.errors import Refused
from router.outbound.client import HttpResponse, OutboundClient
from tests.support.behaviours import FixedResponse, Hang, LargeResponse, PartialResponse, RedirectResponse, Reset
from tests.support.discord import CHANNEL_ID, DiscordStandIn, DiscordThread
from tests.support.notifications import OPENED

NOW = datetime(2025, 11, 22, 12, 0, tzinfo=UTC)
WEBHOOK_URL = "https://discord.com/api/webhooks/123456789012345678/Abc-def_123"


def _error(status: int, code: int) -> HttpResponse:
    return HttpResponse(status, {}, json.dumps({"message": "Some text", "code": code}), 7)


def _kind(outcome: SendOutcome) -> str:
    return outcome.kind if isinstance(outcome, SendFailure) else type(outcome).__name__


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
    assert _kind(outcome) == expected
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
    assert _kind(outcome) == expected


@pytest.mark.parametrize(
    "body", ["", "[1]", "{" * 5000, '{"code": "10015"}', '{"code": true}', '{"code": null}', '{"code": -1}', "<html>"]
)
def test_unknown_bodies_are_classified_by_their_status(body: str) -> None:
    assert [_kind(CHANNEL.classify_response(HttpResponse(status, {}, body), NOW)) for status in (400, 404, 500)] == [
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


# --- sending


@pytest.fixture
async def client() -> AsyncIterator[OutboundClient]:
    client = OutboundClient(allow_private=True)
    yield client
    await client.close()


@pytest.fixture
async def discord() -> AsyncIterator[DiscordStandIn]:
    async with DiscordStandIn() as service:
        yield service


async def _send(client: OutboundClient, service: DiscordStandIn, timeout: float = 10, **values: str) -> SendOutcome:
    settings = CHANNEL.parse_settings({"webhookUrl": service.url(), **values}, allow_private=True)
    return await CHANNEL.send(client, settings, CHANNEL.render(OPENED), timeout)


async def test_successful_send(client: OutboundClient, discord: DiscordStandIn) -> None:
    outcome = await _send(client, discord)
    assert isinstance(outcome, SendSuccess)
    ((message_id, message),) = discord.messages.items()
    assert json.loads(outcome.ref) == {"id": message_id}
    assert message.channel_id == CHANNEL_ID
    assert (discord.posts[0].query, set(message.body)) == ({"wait": "true"}, {"content", "embeds", "allowed_mentions"})


async def test_appearance_and_thread(client: OutboundClient, discord: DiscordStandIn) -> None:
    discord.threads["77"] = DiscordThread("support")
    outcome = await _send(client, discord, threadId="77", username="Help desk", avatarUrl="https://x.example/a.png")
    assert isinstance(outcome, SendSuccess)
    ((message_id, message),) = discord.messages.items()
    assert json.loads(outcome.ref) == {"id": message_id, "thread_id": "77"}
    assert (message.channel_id, message.body["username"]) == ("77", "Help desk")
    assert message.body["avatar_url"] == "https://x.example/a.png"


async def test_each_message_to_a_forum_starts_a_thread(client: OutboundClient) -> None:
    async with DiscordStandIn(is_forum=True) as forum:
        outcomes = [await _send(client, forum), await _send(client, forum)]
    assert [_kind(outcome) for outcome in outcomes] == ["SendSuccess"] * 2
    assert [thread.name for thread in forum.threads.values()] == ["New ticket #42: Invoice 1042 is wrong"] * 2
    refs = [json.loads(outcome.ref) for outcome in outcomes if isinstance(outcome, SendSuccess)]
    assert [(ref["id"], ref["thread_id"]) for ref in refs] == list(zip(forum.messages, forum.threads, strict=True))


async def test_a_forum_is_remembered(client: OutboundClient) -> None:
    channel = DiscordChannel()
    async with DiscordStandIn(is_forum=True) as service:
        settings = channel.parse_settings({"webhookUrl": service.url()}, allow_private=True)
        requests, pauses = [], []
        for is_forum in (True, True, False, False):
            service.is_forum = is_forum
            outcome = await channel.send(client, settings, channel.render(OPENED), 10)
            assert isinstance(outcome, SendSuccess)
            requests.append(len(service.posts))
            pauses.append(outcome.pause)
    assert requests == [2, 3, 5, 6]
    assert pauses == [2.5, 0.0, 2.5, 0.0]
    assert [message.channel_id == CHANNEL_ID for message in service.messages.values()] == [False, False, True, True]


async def _reply(client: OutboundClient, service: DiscordStandIn, ref: str, **values: str) -> SendOutcome:
    settings = CHANNEL.parse_settings({"webhookUrl": service.url(), **values}, allow_private=True)
    return await CHANNEL.reply(client, settings, ref, CHANNEL.render(OPENED), 10)


def _reference(outcome: SendOutcome) -> str:
    assert isinstance(outcome, SendSuccess)
    return outcome.ref


async def test_replies_to_a_forum_follow_in_its_thread(client: OutboundClient) -> None:
    async with DiscordStandIn(is_forum=True) as forum:
        ref = _reference(await _send(client, forum))
        assert isinstance(await _reply(client, forum, ref), SendSuccess)
        (thread,) = forum.threads.values()
        assert {message.channel_id for message in forum.messages.values()} == set(forum.threads)
        for state in ("is_locked", "is_deleted"):
            setattr(thread, state, True)
            assert _kind(await _reply(client, forum, ref)) == "gone"


async def test_a_forum_needs_a_first_message_for_a_reply_without_a_thread_of_its_own(client: OutboundClient) -> None:
    async with DiscordStandIn(is_forum=True) as forum:
        forum.threads["77"] = DiscordThread("support")
        ref = _reference(await _send(client, forum, threadId="77"))
        assert isinstance(await _reply(client, forum, ref, threadId="77"), SendSuccess)
        assert _kind(await _reply(client, forum, ref)) == "gone"
        forum.threads["77"].is_deleted = True
        assert _kind(await _reply(client, forum, ref, threadId="77")) == "permanent"


async def test_replies_follow_the_settings_unless_the_thread_is_that_of_the_ticket(
    client: OutboundClient, discord: DiscordStandIn
) -> None:
    discord.threads["77"] = DiscordThread("support")
    ref = _reference(await _send(client, discord, threadId="77"))
    for values in ({}, {"threadId": "77"}):
        assert isinstance(await _reply(client, discord, ref, **values), SendSuccess)
    assert [message.channel_id for message in discord.messages.values()] == ["77", CHANNEL_ID, "77"]


async def test_every_message_can_start_a_thread(client: OutboundClient) -> None:
    async with DiscordStandIn(is_forum=True) as forum:
        settings = CHANNEL.parse_settings({"webhookUrl": forum.url()}, allow_private=True)
        for payload in (CHANNEL.render_plain(OPENED), CHANNEL.render_test(TestMessage("Acme", "Forum", 0))):
            assert isinstance(await CHANNEL.send(client, settings, payload, 10), SendSuccess)
    assert [thread.name for thread in forum.threads.values()] == ["New ticket #42", "Test message from Email Router"]


async def test_removed_thread_is_a_permanent_failure(client: OutboundClient, discord: DiscordStandIn) -> None:
    outcome = await _send(client, discord, threadId="78")
    assert isinstance(outcome, SendFailure)
    assert outcome.kind == "permanent"
    assert outcome.reason == "Discord returned 404 10003: the Discord channel or thread no longer exists"


async def test_removed_webhook(client: OutboundClient, discord: DiscordStandIn) -> None:
    discord.remove_webhook("general")
    outcome = await _send(client, discord)
    assert isinstance(outcome, SendFailure)
    assert outcome.kind == "permanent"
    assert outcome.reason == "Discord returned 404 10015: the webhook was removed in Discord"


async def test_misbehaving_server(client: OutboundClient, discord: DiscordStandIn) -> None:
    discord.script(
        "general",
        FixedResponse(429, '{"retry_after": 0.5}'),
        FixedResponse(500, "<html>"),
        Reset(),
        Hang(),
        RedirectResponse(discord.url("elsewhere")),
    )
    outcomes = [await _send(client, discord, 2) for _ in range(5)]
    assert [_kind(outcome) for outcome in outcomes] == ["SendRetry"] * 4 + ["rejected"]


async def test_success_without_a_usable_body_has_no_reference(client: OutboundClient, discord: DiscordStandIn) -> None:
    discord.script(
        "general",
        PartialResponse(),
        FixedResponse(204, ""),
        FixedResponse(200, '{"id": 42, "channel_id": "1"}'),
        FixedResponse(200, '{"id": "../x", "channel_id": "1"}'),
        LargeResponse(200_000),
    )
    outcomes = [await _send(client, discord) for _ in range(5)]
    assert [isinstance(outcome, SendSuccess) and outcome.ref for outcome in outcomes] == [""] * 5
