"""A process sends to an integration only while its lease is valid, also if it was delayed after the claim."""

from collections.abc import Awaitable, Callable

import pytest

from router.channels.contract import SendFailure, SendSuccess
from router.contents.store import ContentStore
from router.dispatch.delivery_batch import NotSent
from router.outbound.client import HttpResponse, OutboundClient, OutboundError
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
        assert isinstance(outcome, SendFailure)
        assert posting.requests("POST") == before + 1
        await posting.record(batch, outcome)
        posting.installation.clock.advance(60)
        (outcome,) = await posting.deliver()
        assert isinstance(outcome, SendSuccess)


class SlowDiscord(DiscordStandIn):
    """Executes each request at once and answers late: after `seconds` of the clock, at the time limit if it is over."""

    def __init__(self, seconds: float) -> None:
        super().__init__(is_forum=True)
        self._seconds = seconds

    def slow_down(self, posting: ManualDelivery, monkeypatch: pytest.MonkeyPatch) -> None:
        request = OutboundClient.request

        async def request_slowly(client: OutboundClient, *args: str, timeout: float, **values: object) -> HttpResponse:
            response = await request(client, *args, timeout=60, **values)  # type: ignore[arg-type]
            posting.installation.clock.advance(min(self._seconds, timeout))
            if self._seconds > timeout:
                raise OutboundError("timed out")
            return response

        monkeypatch.setattr(OutboundClient, "request", request_slowly)


@pytest.mark.parametrize("lease", ["60s", "30s", "15s"])
async def test_a_slow_service_gets_one_replacement_of_a_reply(
    store: Store, monkeypatch: pytest.MonkeyPatch, lease: str
) -> None:
    """Each response comes within the time limit, but all of them together take longer, and longer than some leases."""
    discord = SlowDiscord(9.9)
    async with open_posting(store, discord, settings={"delivery.lease": lease}) as posting:
        await open_ticket(posting)
        for thread in discord.threads.values():
            thread.is_deleted = True
        await posting.installation.accept_message(mails.reply_to(FIRST, message_id=REPLY))
        discord.slow_down(posting, monkeypatch)
        await posting.deliver()
        assert len(discord.messages) == 2
        assert [each["state"] for each in await posting.rows("deliveries")] == ["delivered", "delivered"]
        assert len(await posting.rows("posts")) == 1


async def test_a_slow_forum_gets_one_message(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first message to a forum takes two requests."""
    discord = SlowDiscord(9.9)
    async with open_posting(store, discord) as posting:
        discord.slow_down(posting, monkeypatch)
        await open_ticket(posting)
        assert len(discord.messages) == 1
