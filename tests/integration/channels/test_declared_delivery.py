"""Deliveries to a channel that a test registers have its pace, its digest limit and its error table."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from emailrouter.assembly import deliver
from router.channels import CHANNELS
from router.channels.contract import Pace, SendSuccess
from router.clock import SECOND
from router.dispatch.delivery_batch import CompletedBatch, DeliveryBatch, PacingDelay, TypeLimits, channel_limits
from router.dispatch.outbox import Outbox
from router.dispatch.sender import TicketSender
from tests.support import mails
from tests.support.behaviours import FixedResponse
from tests.support.installation.http import ServedInstallation, serve_api, served_settings
from tests.support.installation.settings import DOMAIN
from tests.support.slack import SlackStandIn
from tests.support.stores import sqlite_store
from tests.support.telegraph import TELEGRAPH

LINE = "/lines/very-secret-line"
DEAD, RETRIED = ("dead", "active"), ("pending", "active")


@dataclass
class Posting:
    """An integration of the registered type, and what a deliver process uses."""

    served: ServedInstallation
    integration_id: str
    outbox: Outbox
    sender: TicketSender

    async def accept(self, *subjects: str) -> None:
        for subject in subjects:
            await self.served.accept_message(mails.plain(subject=subject), f"post@{DOMAIN}")

    async def claim(self, completed: CompletedBatch | None = None, *, stop: bool = False) -> object:
        return await self.outbox.claim_and_record(self.integration_id, completed, stop=stop)

    async def send_next(self, completed: CompletedBatch | None = None) -> CompletedBatch:
        batch = await self.claim(completed)
        assert isinstance(batch, DeliveryBatch), batch
        return CompletedBatch(batch, await self.sender.send(batch), 0.0)


@pytest.fixture
async def posting(tmp_path: Path, slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Posting]:
    monkeypatch.setitem(CHANNELS, TELEGRAPH.kind, TELEGRAPH)
    slack.default(LINE, FixedResponse(200, '{"number": 7}'))
    settings = served_settings() | {"delivery.digest_after": 2}
    async with sqlite_store(tmp_path) as store, serve_api(store, settings) as served:
        integration = await served.services.integrations.create(
            served.actor,
            type=TELEGRAPH.kind,
            name="Post",
            settings={"lineUrl": f"http://127.0.0.1:{slack.port}{LINE}", "station": "Kiel"},
        )
        domain_id = await served.create_domain()
        await served.services.aliases.create(
            served.actor, domain_id=domain_id, local_part="post", integration_id=integration.id
        )
        yield Posting(served, integration.id, deliver.build_outbox(served.core), deliver.build_sender(served.core))


def test_the_lower_pace_holds() -> None:
    own = TELEGRAPH.pace
    assert own is not None
    assert channel_limits(TELEGRAPH, Pace(1.0, 5)) == TypeLimits(own, 3)
    assert channel_limits(TELEGRAPH, Pace(0.1, 5)) == TypeLimits(Pace(0.1, 2), 3)
    assert channel_limits(TELEGRAPH, Pace(0.1, 1)) == TypeLimits(Pace(0.1, 1), 3)
    assert channel_limits(TELEGRAPH, Pace(9.0, 1)) == TypeLimits(Pace(own.per_second, 1), 3)
    assert channel_limits(TELEGRAPH, Pace(0.1, 30)) == TypeLimits(Pace(0.1, 2), 3)
    assert channel_limits(CHANNELS["slack"], Pace(9.0, 8)).pace == Pace(9.0, 8)


async def test_pace_and_digest_limit(posting: Posting, slack: SlackStandIn) -> None:
    await posting.accept("Mail 1", "Mail 2")
    second = await posting.send_next(await posting.send_next())
    await posting.accept(*(f"Late {n}" for n in range(1, 6)))
    until = posting.served.clock.now() + 2 * SECOND
    assert await posting.claim(second) == PacingDelay(until), "two at once, then one in two seconds"
    posting.served.clock.advance(2)
    digest = await posting.send_next()
    assert isinstance(digest.outcome, SendSuccess)
    assert (digest.outcome.status, digest.outcome.ref) == (200, "7")
    assert [post.payload for post in slack.posts_to(LINE)] == [
        {"to": "Kiel", "form": "rich", "words": "Mail 1"},
        {"to": "Kiel", "form": "rich", "words": "Mail 2"},
        {"to": "Kiel", "form": "digest", "words": ["Late 1", "Late 2", "Late 3"]},
    ]


async def test_an_integration_is_ready_by_its_own_pace(posting: Posting, slack: SlackStandIn) -> None:
    slack.script(LINE, FixedResponse(429, "", {"Retry-After": "10"}))
    await posting.accept("Mail")
    assert await posting.outbox.find_ready_integrations(10) == [posting.integration_id]
    await posting.claim(await posting.send_next(), stop=True)
    await posting.accept("Another")
    ready = []
    for seconds in (7, 1):  # with the pace of [delivery], it is ready after 6 seconds
        posting.served.clock.advance(seconds)
        ready.append(await posting.outbox.find_ready_integrations(10))
    assert ready == [[], [posting.integration_id]]


@pytest.mark.parametrize(
    ("response", "reason", "states"),
    [
        (FixedResponse(400, '{"fault": "line_cut"}'), "400 line_cut: the line was cut", ("pending", "failing")),
        (FixedResponse(404, ""), "404: the webhook does not exist or access is denied", ("pending", "failing")),
        (FixedResponse(400, '{"fault": "word_refused"}'), "400 word_refused: a word is not allowed", DEAD),
        (FixedResponse(400, '{"fault": "new_fault"}'), "400 new_fault", DEAD),
        (FixedResponse(302, ""), "302: redirects are not followed", DEAD),
        (FixedResponse(400, '{"fault": "operator_busy"}'), "400 operator_busy: the operator is busy", RETRIED),
        (FixedResponse(429, ""), "429: rate limit exceeded", RETRIED),
        (FixedResponse(500, '{"fault": "line_cut"}'), "500 line_cut", RETRIED),
    ],
)
async def test_failures(
    posting: Posting, slack: SlackStandIn, response: FixedResponse, reason: str, states: tuple[str, str]
) -> None:
    """states: of the delivery and of the integration."""
    slack.script(LINE, response)
    await posting.accept("Mail")
    await posting.claim(await posting.send_next(), stop=True)
    delivery = (await posting.served.admin.get("/deliveries")).body["deliveries"][0]
    integration = (await posting.served.admin.get(f"/integrations/{posting.integration_id}")).body
    assert (delivery["state"], integration["status"]) == states
    assert delivery["lastError"] == integration["lastError"] == f"Telegraph returned {reason}"


async def test_a_rejected_format_is_sent_as_plain_text(posting: Posting, slack: SlackStandIn) -> None:
    slack.script(LINE, FixedResponse(400, '{"fault": "too_many_dots"}'))
    await posting.accept("Mail")
    await posting.claim(await posting.send_next(await posting.send_next()), stop=True)
    assert [post.payload for post in slack.posts_to(LINE)] == [
        {"to": "Kiel", "form": "rich", "words": "Mail"},
        {"to": "Kiel", "form": "plain", "words": "Mail"},
    ]
    delivery = (await posting.served.admin.get("/deliveries")).body["deliveries"][0]
    assert (delivery["state"], delivery["via"]) == ("delivered", "text")


async def test_an_unreachable_service_is_tried_again(posting: Posting, slack: SlackStandIn) -> None:
    await slack.stop()
    await posting.accept("Mail")
    await posting.claim(await posting.send_next(), stop=True)
    delivery = (await posting.served.admin.get("/deliveries")).body["deliveries"][0]
    assert (delivery["state"], delivery["lastError"]) == ("pending", "connection refused")
