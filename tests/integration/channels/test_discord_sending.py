"""Messages that the Discord channel sends: threads and forums, and servers that misbehave."""

import json
from collections.abc import AsyncIterator

import pytest

from router.channels import CHANNELS
from router.channels.contract import SendFailure, SendOutcome, SendSuccess, TargetMemory, TestMessage
from router.channels.discord import CHANNEL
from router.channels.poster import IntegrationSender, Poster
from router.model import Integration
from router.outbound.client import OutboundClient
from router.secrets import SecretBox, new_key
from tests.support.behaviours import FixedResponse, Hang, LargeResponse, PartialResponse, RedirectResponse, Reset
from tests.support.discord import CHANNEL_ID, DiscordStandIn, DiscordThread
from tests.support.notifications import OPENED
from tests.support.outcomes import outbound_client, outcome_kind


@pytest.fixture
async def client() -> AsyncIterator[OutboundClient]:
    async with outbound_client() as client:
        yield client


@pytest.fixture
async def discord() -> AsyncIterator[DiscordStandIn]:
    async with DiscordStandIn() as service:
        yield service


async def _send(client: OutboundClient, service: DiscordStandIn, timeout: float = 10, **values: str) -> SendOutcome:
    settings = CHANNEL.parse_settings({"webhookUrl": service.url(), **values}, allow_private=True)
    return await CHANNEL.send(client, settings, CHANNEL.render(OPENED), timeout, {})


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
    assert [outcome_kind(outcome) for outcome in outcomes] == ["SendSuccess"] * 2
    assert [thread.name for thread in forum.threads.values()] == ["New ticket #42: Invoice 1042 is wrong"] * 2
    refs = [json.loads(outcome.ref) for outcome in outcomes if isinstance(outcome, SendSuccess)]
    assert [(ref["id"], ref["thread_id"]) for ref in refs] == list(zip(forum.messages, forum.threads, strict=True))


async def test_a_forum_is_remembered(client: OutboundClient) -> None:
    async with DiscordStandIn(is_forum=True) as service:
        settings = CHANNEL.parse_settings({"webhookUrl": service.url()}, allow_private=True)
        memory: TargetMemory = {}
        requests, pauses = [], []
        for is_forum in (True, True, False, False):
            service.is_forum = is_forum
            outcome = await CHANNEL.send(client, settings, CHANNEL.render(OPENED), 10, memory)
            assert isinstance(outcome, SendSuccess)
            requests.append(len(service.posts))
            pauses.append(outcome.pause)
    assert requests == [2, 3, 5, 6]
    assert pauses == [2.5, 0.0, 2.5, 0.0]
    assert [message.channel_id == CHANNEL_ID for message in service.messages.values()] == [False, False, True, True]


async def test_each_poster_remembers_the_forums_of_its_integrations(client: OutboundClient) -> None:
    box = SecretBox(new_key())
    posters = [Poster(CHANNELS, client, box, allow_private=True, timeout=10) for _ in range(2)]
    async with DiscordStandIn(is_forum=True) as service:
        settings = CHANNEL.parse_settings({"webhookUrl": service.url()}, allow_private=True)
        stored = posters[0].encrypt_settings(CHANNEL, settings)
        integration = Integration("int_1", "ws_1", "discord", "Support", 1, stored.encrypted_settings, "")
        requests = []
        for poster in (posters[0], posters[0], posters[1]):
            sender = poster.prepare(integration)
            assert isinstance(sender, IntegrationSender)
            assert isinstance(await sender.send(CHANNEL.render(OPENED)), SendSuccess)
            requests.append(len(service.posts))
    assert requests == [2, 3, 5]


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
            assert outcome_kind(await _reply(client, forum, ref)) == "gone"


async def test_a_forum_needs_a_first_message_for_a_reply_without_a_thread_of_its_own(client: OutboundClient) -> None:
    async with DiscordStandIn(is_forum=True) as forum:
        forum.threads["77"] = DiscordThread("support")
        ref = _reference(await _send(client, forum, threadId="77"))
        assert isinstance(await _reply(client, forum, ref, threadId="77"), SendSuccess)
        assert outcome_kind(await _reply(client, forum, ref)) == "gone"
        forum.threads["77"].is_deleted = True
        assert outcome_kind(await _reply(client, forum, ref, threadId="77")) == "permanent"


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
            assert isinstance(await CHANNEL.send(client, settings, payload, 10, {}), SendSuccess)
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
    assert [outcome_kind(outcome) for outcome in outcomes] == ["SendRetry"] * 4 + ["rejected"]


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
