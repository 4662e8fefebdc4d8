"""The dispatcher with a real database, a real HTTP client and a Slack stand-in."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from emailrouter.assembly import deliver
from router.clock import SECOND
from router.dispatch import dispatcher
from router.dispatch.delivery_batch import CompletedBatch, DeliveryBatch, OutboxLimits, PacingDelay
from router.dispatch.dispatcher import Dispatcher
from router.dispatch.outbox import Outbox
from router.enumerations import TICKET_PRIORITY
from router.errors import RowLocked, Unavailable
from router.lease_owner import new_lease_owner
from router.meter import NULL_METER, Meter
from router.ports import NullWaker
from tests.support import mails
from tests.support.behaviours import FixedResponse, Hang, Reset
from tests.support.installation import Installation
from tests.support.slack import SlackStandIn
from tests.support.stores import Store
from tests.support.waiting import wait_until

SETTINGS: dict[str, object] = {
    "server.public_url": "https://desk.test",
    "delivery.timeout": "5s",
    "delivery.per_second": 1000.0,
    "delivery.burst": 100,
    "delivery.digest_after": 1000,
    "delivery.lease": "30s",
    "delivery.concurrency": 4,
}
FAST = OutboxLimits(
    per_second=1000,
    burst=100,
    digest_after=1000,
    lease=30 * SECOND,
    max_age=3600 * SECOND,
    max_claims=10,
    max_lease_wait=2 * SECOND,
    own_limits={},
)


class UnavailableOutbox(Outbox):
    """An outbox whose requests can fail with an error.

    Attributes:
        failures: The number of failed requests.
    """

    error: Unavailable | None = None
    failures = 0

    async def claim_and_record(
        self, integration_id: str, finished: CompletedBatch | None, *, stop: bool = False
    ) -> DeliveryBatch | PacingDelay | None:
        if self.error is not None:
            self.failures += 1
            raise self.error
        return await super().claim_and_record(integration_id, finished, stop=stop)


def new_installation(store: Store, *, meter: Meter = NULL_METER) -> Installation:
    return Installation(store, SETTINGS, real_time=True, wake="dispatcher", meter=meter)


@asynccontextmanager
async def dispatching(installation: Installation, slack: SlackStandIn) -> AsyncIterator[None]:
    await installation.seed(aliases=["support"], webhook=slack.url("general"))
    async with installation.run_dispatcher():
        yield
    await installation.close()


@pytest.fixture
async def installation(store: Store, slack: SlackStandIn) -> AsyncIterator[Installation]:
    found = new_installation(store)
    async with dispatching(found, slack):
        yield found


async def wait_delivered(installation: Installation, n: int) -> None:
    async def done() -> bool:
        rows = await installation.execute("SELECT count(*) AS n FROM deliveries WHERE state = 'delivered'")
        return rows[0]["n"] == n

    for _ in range(200):
        if await done():
            return
        await asyncio.sleep(0.02)
    rows = await installation.execute("SELECT state, last_error FROM deliveries")
    raise AssertionError(f"not {n} delivered, but: {rows}")


async def test_a_message_is_posted_and_its_attempt_recorded(installation: Installation, slack: SlackStandIn) -> None:
    content = mails.with_attachment(subject="Größe – 注文")
    await installation.accept_message(content)
    (post,) = await slack.wait_for(1)
    assert "Größe – 注文" in json.dumps(post.payload, ensure_ascii=False)
    await wait_delivered(installation, 1)
    (attempt,) = await installation.execute("SELECT * FROM attempts")
    assert (attempt["n"], attempt["outcome"], attempt["status"], attempt["answer"]) == (1, "sent", 200, "ok")
    (contents,) = await installation.execute("SELECT attachments FROM message_contents")
    assert len(json.loads(str(contents["attachments"]))) == 1


async def test_a_reply_shows_a_priority_that_is_not_normal(installation: Installation, slack: SlackStandIn) -> None:
    ticket_id = await installation.accept_ticket(mails.plain(message_id="<first@customer.test>"))
    (post,) = await slack.wait_for(1)
    assert "Priority" not in json.dumps(post.payload)
    await installation.tickets.set_choice(installation.actor, ticket_id, TICKET_PRIORITY, "urgent")
    await installation.accept_message(mails.reply_to("<first@customer.test>"))
    _, reply = await slack.wait_for(2)
    assert re.search("Priority.*Urgent", json.dumps(reply.payload))


async def test_a_delivery_without_a_notification_is_found_by_polling(installation: Installation) -> None:
    await installation.accept_message(mails.plain(subject="signalled"))
    await wait_delivered(installation, 1)  # the dispatcher has polled once
    other = installation.second_process(wake=NullWaker(), real_time=True)
    await other.accept_message(mails.plain(subject="not signalled"))
    await wait_delivered(installation, 2)
    await other.close()


async def test_many_mails_are_each_posted_once(installation: Installation, slack: SlackStandIn) -> None:
    await asyncio.gather(*(installation.accept_message(mails.plain(subject=f"Mail {n}")) for n in range(50)))
    await wait_delivered(installation, 50)
    assert len(slack.posts) == 50
    assert max(slack.peak.values()) == 1


async def test_a_network_error_is_retried(installation: Installation, slack: SlackStandIn) -> None:
    slack.script("general", Reset(), FixedResponse(503, "busy"))
    await installation.accept_message(mails.plain())
    await wait_until(lambda: len(slack.posts) == 1, "the first attempt")

    async def due() -> None:
        await installation.execute("UPDATE deliveries SET next_attempt_at = 1 WHERE state = 'pending'")

    for tries in (2, 3):
        for _ in range(200):
            (row,) = await installation.execute("SELECT claims FROM deliveries")
            if row["claims"] == 0:
                break
            await asyncio.sleep(0.02)
        await due()
        await slack.wait_for(tries)
    await wait_delivered(installation, 1)
    rows = await installation.execute("SELECT outcome FROM attempts ORDER BY n")
    assert [row["outcome"] for row in rows] == ["retry", "retry", "sent"]


async def test_a_webhook_that_hangs_delays_no_other(installation: Installation, slack: SlackStandIn) -> None:
    hang = Hang()
    slack.script("stuck", hang)
    stuck = await installation.add_alias(
        "stuck", await installation.add_integration("stuck", webhook=slack.url("stuck"))
    )
    await installation.accept_message(mails.plain(), stuck)
    await wait_until(lambda: len(slack.posts_to("stuck")) == 1, "the request that hangs")
    for n in range(10):
        await installation.accept_message(mails.plain(subject=f"Mail {n}"))
    await slack.wait_for(10, "general", accepted=True)
    hang.release()
    await wait_delivered(installation, 11)


async def test_a_removed_webhook_parks_and_a_rejected_payload_becomes_text(
    installation: Installation, slack: SlackStandIn
) -> None:
    slack.script("general", FixedResponse(400, "invalid_blocks"))
    await installation.accept_message(mails.plain())
    await wait_delivered(installation, 1)
    (row,) = await installation.execute("SELECT via FROM deliveries")
    assert row["via"] == "text"
    slack.remove_webhook("general")
    await installation.accept_message(mails.plain(subject="Second"))

    for _ in range(200):
        (integration,) = await installation.execute("SELECT status, last_error FROM integrations")
        if integration["status"] == "failing":
            break
        await asyncio.sleep(0.02)
    assert integration["status"] == "failing"
    assert "no_service" in str(integration["last_error"])


async def test_an_erased_ticket_is_not_delivered(installation: Installation, slack: SlackStandIn) -> None:
    hang = Hang()
    slack.script("general", hang)
    await installation.accept_message(mails.plain())
    await installation.accept_message(mails.plain(subject="Second"))
    await wait_until(lambda: len(slack.posts) == 1, "the first request")
    await installation.execute("DELETE FROM tickets WHERE number = 2")
    hang.release()
    await wait_delivered(installation, 1)
    assert len(slack.posts) == 1


async def test_stopping_waits_for_the_outcome(store: Store, slack: SlackStandIn) -> None:
    installation = new_installation(store)
    hang = Hang()
    slack.script("general", hang)
    async with dispatching(installation, slack):
        await installation.accept_message(mails.plain())
        await wait_until(lambda: len(slack.posts) == 1, "the request")
        installation.core.dispatcher.stop()
        hang.release()
    rows = await installation.execute("SELECT state FROM deliveries")
    assert [row["state"] for row in rows] == ["delivered"]
    rows = await installation.execute("SELECT lease_until FROM integrations")
    assert [row["lease_until"] for row in rows] == [0]


def use_unavailable_outbox(installation: Installation, *, drain: float) -> UnavailableOutbox:
    core = installation.core
    outbox = UnavailableOutbox(installation.database, core.writers, core.clock, new_lease_owner(), FAST)
    core.dispatcher = Dispatcher(outbox, deliver.build_sender(core), core.clock, concurrency=4, drain=drain)
    return outbox


async def send_before_the_error(
    installation: Installation, slack: SlackStandIn, outbox: UnavailableOutbox, error: Unavailable
) -> None:
    """Sends a message whose outcome cannot be recorded: the error begins during the request."""
    hang = Hang()
    slack.script("general", hang)
    await installation.accept_message(mails.plain())
    await wait_until(lambda: len(slack.posts) == 1, "the request")
    outbox.error = error
    hang.release()


@pytest.mark.parametrize("recovers", [True, False])
async def test_a_stop_waits_for_the_outcome_with_a_limit(recovers: bool, store: Store, slack: SlackStandIn) -> None:
    """If the outcome cannot be recorded within `drain` seconds, the attempt stays open and the lease is kept."""
    installation = new_installation(store)
    outbox = use_unavailable_outbox(installation, drain=30 if recovers else 0.01)
    with capture_logs() as log:
        async with dispatching(installation, slack):
            await send_before_the_error(installation, slack, outbox, Unavailable("away"))
            await wait_until(
                lambda: any(line["event"] == "dispatch.database_unavailable" for line in log),
                "an attempt to record the outcome",
            )
            installation.core.dispatcher.stop()
            if recovers:
                outbox.error = None
    (row,) = await installation.execute("SELECT outcome, lease_until FROM attempts CROSS JOIN integrations")
    assert (row["outcome"], bool(row["lease_until"])) == (("sent", False) if recovers else ("open", True))
    events = [line["event"] for line in log]
    assert ("dispatch.outcome_not_saved" in events) is not recovers


@pytest.mark.parametrize(("max_delay", "events"), [(0.02, {"dispatch.outcome_delayed"}), (60.0, set())])
async def test_an_outcome_waits_for_locked_rows_and_is_logged_only_if_this_takes_long(
    store: Store, slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch, max_delay: float, events: set[str]
) -> None:
    monkeypatch.setattr(dispatcher, "RETRY_MIN_SECONDS", 0.01)
    monkeypatch.setattr(dispatcher, "RETRY_MAX_SECONDS", max_delay)
    installation = new_installation(store)
    outbox = use_unavailable_outbox(installation, drain=30)
    with capture_logs() as log:
        async with dispatching(installation, slack):
            await send_before_the_error(installation, slack, outbox, RowLocked("locked"))
            await wait_until(lambda: outbox.failures >= 4, "attempts to record the outcome")
            outbox.error = None
            await wait_delivered(installation, 1)
    assert len(slack.posts) == 1
    assert {line["event"] for line in log if line["log_level"] == "warning"} == events
