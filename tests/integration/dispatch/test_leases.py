"""A process sends to an integration only while its lease is valid, also if it was delayed after the claim."""

from collections.abc import Awaitable, Callable

import pytest

from router.channels.contract import SendSuccess
from router.contents.store import ContentStore
from router.dispatch.delivery_batch import NotSent
from router.outbound.client import HttpResponse, OutboundClient
from tests.support import mails
from tests.support.discord import DiscordStandIn
from tests.support.manual_delivery import FIRST, REPLY, ManualDelivery, open_posting, open_ticket
from tests.support.stores import Store


def delay_once(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, delay: Callable[[], Awaitable[object]]) -> None:
    """Runs `delay` after the next call of a method."""
    method = getattr(owner, name)

    async def call_and_delay(*args: object, **values: object) -> object:
        monkeypatch.setattr(owner, name, method)
        result = await method(*args, **values)
        await delay()
        return result

    monkeypatch.setattr(owner, name, call_and_delay)


async def test_nothing_is_sent_after_a_long_parse(posting: ManualDelivery, monkeypatch: pytest.MonkeyPatch) -> None:
    other = ManualDelivery(posting.installation, posting.service)
    await posting.installation.accept_ticket()
    batch = await posting.claim_batch()

    async def take_over() -> None:
        posting.installation.clock.advance(61)
        (outcome,) = await other.deliver()
        assert isinstance(outcome, SendSuccess)

    delay_once(monkeypatch, ContentStore, "complete", take_over)
    outcome = await posting.send(batch)
    assert isinstance(outcome, NotSent)
    await posting.record(batch, outcome)
    assert posting.requests("POST") == 1
    (delivery,) = await posting.rows("deliveries")
    assert delivery["state"] == "delivered"


async def test_no_replacement_is_sent_after_the_lease(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_posting(store, DiscordStandIn(is_forum=True)) as posting:
        await open_ticket(posting)
        (thread,) = posting.discord.threads.values()
        thread.is_deleted = True
        await posting.installation.accept_message(mails.reply_to(FIRST, message_id=REPLY))
        batch = await posting.claim_batch()

        async def suspend() -> None:
            posting.installation.clock.advance(61)

        delay_once(monkeypatch, OutboundClient, "request", suspend)
        before = posting.requests("POST")
        outcome = await posting.send(batch)
        assert isinstance(outcome, NotSent)
        assert posting.requests("POST") == before + 1
        await posting.record(batch, outcome)
        posting.installation.clock.advance(60)
        (outcome,) = await posting.deliver()
        assert isinstance(outcome, SendSuccess)


async def test_a_reply_and_its_replacement_share_the_time_limit(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_posting(store, DiscordStandIn(is_forum=True)) as posting:
        await open_ticket(posting)
        (thread,) = posting.discord.threads.values()
        thread.is_deleted = True
        await posting.installation.accept_message(mails.reply_to(FIRST, message_id=REPLY))
        limits = []
        request = OutboundClient.request

        async def record_limit(client: OutboundClient, *args: str, timeout: float, **values: object) -> HttpResponse:
            limits.append(timeout)
            posting.installation.clock.advance(4)
            return await request(client, *args, timeout=timeout, **values)  # type: ignore[arg-type]

        monkeypatch.setattr(OutboundClient, "request", record_limit)
        (outcome,) = await posting.deliver()
        assert isinstance(outcome, SendSuccess)
        assert limits == [10, 6]
