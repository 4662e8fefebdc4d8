"""A rejected digest fails no delivery: each is sent alone, and only a message that is rejected alone fails."""

import json
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from router.channels.contract import SendFailure, SendRetry, SendSuccess
from router.dispatch.delivery_batch import CompletedBatch, DeliveryBatch
from tests.support import mails
from tests.support.behaviours import FixedResponse, Post
from tests.support.discord import DiscordStandIn
from tests.support.manual_delivery import ManualDelivery, open_posting
from tests.support.outboxes import OpenOutboxes
from tests.support.stores import Store

BLOCKED = "Blocked word"
TICKETS = 10


class ModeratedDiscord(DiscordStandIn):
    """Rejects every message with `BLOCKED`."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self._code = code

    def answer(self, post: Post) -> FixedResponse:
        if BLOCKED in json.dumps(post.payload):
            return FixedResponse(400, json.dumps({"code": self._code}))
        return super().answer(post)


@pytest.fixture
def code() -> int:
    return 200000


@pytest.fixture
async def moderated(store: Store, code: int) -> AsyncIterator[ManualDelivery]:
    async with open_posting(store, ModeratedDiscord(code), settings={"delivery.digest_after": 2}) as posting:
        yield posting


async def accept_tickets(posting: ManualDelivery, prefix: str) -> None:
    for n in range(TICKETS):
        mail = mails.plain(message_id=f"<{prefix}{n}@customer.test>", subject=f"Ticket {n}")
        await posting.installation.accept_ticket(mail)


@pytest.mark.parametrize("code", [200000, 240000, 50035, 1])
async def test_only_the_rejected_entry_fails(moderated: ManualDelivery, code: int) -> None:
    await accept_tickets(moderated, "a")
    await moderated.installation.accept_ticket(mails.plain(subject=BLOCKED))
    outcomes = await moderated.deliver()
    rows = await moderated.rows("deliveries")
    assert Counter((row["state"], row["via"]) for row in rows if row["state"] == "delivered") == {
        ("delivered", "message"): TICKETS
    }
    (failed,) = [row for row in rows if row["state"] != "delivered"]
    assert failed["state"] == "dead"
    digest_and_message = 3 if code == 50035 else 2  # an invalid form is repeated as plain text
    assert sum(isinstance(each, SendFailure) for each in outcomes) == digest_and_message
    assert len(outcomes) == TICKETS + digest_and_message
    (integration,) = await moderated.rows("integrations")
    assert integration["status"] == "active"


async def test_later_deliveries_are_sent_in_digests(moderated: ManualDelivery) -> None:
    await moderated.installation.accept_ticket(mails.plain(subject=BLOCKED))
    await accept_tickets(moderated, "a")
    batch = await moderated.claim_batch()
    await moderated.record(batch, await moderated.send(batch))
    await accept_tickets(moderated, "b")
    await moderated.deliver()
    rows = await moderated.rows("deliveries")
    assert Counter(row["via"] for row in rows if row["state"] == "delivered") == {"message": TICKETS, "digest": TICKETS}


async def test_a_replayed_delivery_is_sent_in_a_digest_again(moderated: ManualDelivery) -> None:
    await moderated.installation.accept_ticket(mails.plain(subject=BLOCKED))
    await accept_tickets(moderated, "a")
    await moderated.deliver()
    assert await moderated.installation.services.deliveries.replay_many(moderated.installation.actor) == 1
    await accept_tickets(moderated, "b")
    batch = await moderated.claim_batch()
    assert (batch.form, len(batch.deliveries)) == ("digest", TICKETS + 1)


@pytest.mark.parametrize(
    "outcome",
    [SendRetry(None, "HTTP 503"), SendFailure("permanent", "no_service"), None],
    ids=["retry", "probe", "lost"],
)
async def test_each_delivery_stays_alone_until_it_is_delivered(
    open_outboxes: OpenOutboxes, outcome: SendRetry | SendFailure | None
) -> None:
    """Also by another process, and after failures and crashes: no delivery is in two rejected digests."""
    outboxes = await open_outboxes(30)
    rejected = await outboxes.claim_batch()
    assert rejected.form == "digest"
    first = await outboxes.record_batch(rejected, SendFailure("rejected", "blocked"))
    assert isinstance(first, DeliveryBatch)
    if outcome is not None:
        await outboxes.record_batch(first, outcome)
    outboxes.clock.advance(3600)
    claimed: object = await outboxes.claim_batch(by=outboxes.second)
    sizes = []
    while claimed is not None:
        completed = None
        if isinstance(claimed, DeliveryBatch):
            sizes.append(len(claimed.deliveries))
            completed = CompletedBatch(claimed, SendSuccess(200), 0.0)
        outboxes.clock.advance(1)
        claimed = await outboxes.claim_and_record(completed, by=outboxes.second)
    assert sizes == [1] * 30
