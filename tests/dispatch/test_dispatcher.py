"""The dispatcher over a real store, a real HTTP client and a stand-in for Slack: from the commit to the post."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from emailrouter.assembly import deliver
from router.channels import CHANNELS
from router.clock import SECOND, SystemClock
from router.dispatch.dispatcher import Dispatcher
from router.dispatch.outbox import Finished, Limits, Outbox, Pause, Work
from router.errors import Unavailable
from router.lease_owner import new_owner
from router.meter import UNMETERED, Meter
from router.ports import NoWake
from router.routing.envelope import Envelope
from router.routing.route import Target
from tests.support import mails, seeds
from tests.support.core import core_over
from tests.support.slack import SlackStandIn
from tests.support.slack_behaviours import Answer, Hang, Reset
from tests.support.stores import Store
from tests.support.waiting import until

SETTINGS = {"server.public_url": "https://desk.test", "delivery.timeout": "5s"}
FAST = Limits(per_second=1000, burst=100, digest_after=1000, lease=30 * SECOND, max_claims=10, patience=2 * SECOND)


class Interrupted(Outbox):
    """An outbox whose database can be away."""

    away = False

    async def turn(
        self, integration_id: str, finished: Finished | None, digest_limit: int, *, stop: bool = False
    ) -> Work | Pause | None:
        if self.away:
            raise Unavailable("away")
        return await super().turn(integration_id, finished, digest_limit, stop=stop)


class World:
    """A deliver process's parts over one store, and an `Accept` that wakes it."""

    def __init__(self, store: Store, slack: SlackStandIn, *, drain: float = 30, meter: Meter = UNMETERED) -> None:
        self.store = store
        self.slack = slack
        self.core = core = core_over(store, SystemClock(), settings=SETTINGS, meter=meter)
        self.outbox = Interrupted(store.database, core.clock, new_owner(), FAST)
        self.dispatcher = core.dispatcher = Dispatcher(
            self.outbox, deliver.sender(core), CHANNELS, core.clock, concurrency=4, drain=drain, meter=meter
        )
        self.accept = core.accept

    async def build(self) -> None:
        self.workspace = await seeds.workspace(self.store.database)
        self.domain = await seeds.domain(self.store.database, self.workspace)
        self.general = await self.integration("general")
        self.support = await self.alias("support", self.general)

    async def integration(self, channel: str) -> str:
        sealed = self.core.box.seal(json.dumps({"webhookUrl": self.slack.url(channel)}))
        return await seeds.integration(self.store.database, self.workspace, sealed, channel)

    async def alias(self, name: str, integration: str) -> Target:
        alias = await seeds.alias(self.store.database, self.workspace, self.domain, name, integration)
        address = f"{name}@example.com"
        return Target(address, self.workspace, alias, alias, address, integration)

    async def send(self, content: bytes, *targets: Target) -> str:
        envelope = Envelope("ann@customer.test", targets or (self.support,), "192.0.2.1", "c.test", "ESMTP")
        return (await self.accept.accept(envelope, content)).message_id

    async def rows(self, statement: str) -> list[dict[str, object]]:
        return await seeds.execute(self.store.database, statement)


@asynccontextmanager
async def working(world: World) -> AsyncIterator[None]:
    running = asyncio.create_task(world.dispatcher.run())
    try:
        yield
    finally:
        world.dispatcher.stop()
        await running
        await world.core.close()


@pytest.fixture
async def world(store: Store, slack: SlackStandIn) -> AsyncIterator[World]:
    found = World(store, slack)
    await found.build()
    async with working(found):
        yield found


async def delivered(world: World, n: int) -> None:
    async def done() -> bool:
        rows = await world.rows("SELECT count(*) AS n FROM deliveries WHERE state = 'delivered'")
        return rows[0]["n"] == n

    for _ in range(200):
        if await done():
            return
        await asyncio.sleep(0.02)  # polls a database, which tells nobody
    rows = await world.rows("SELECT state, last_error FROM deliveries")
    raise AssertionError(f"not {n} delivered, but: {rows}")


async def test_a_mail_is_posted_and_its_attempt_told(world: World) -> None:
    content = mails.with_attachment(subject="Größe – 注文")
    await world.send(content)
    (post,) = await world.slack.wait_for(1)
    assert "Größe – 注文" in json.dumps(post.payload, ensure_ascii=False)
    await delivered(world, 1)
    (attempt,) = await world.rows("SELECT * FROM attempts")
    assert (attempt["n"], attempt["outcome"], attempt["status"], attempt["answer"]) == (1, "sent", 200, "ok")
    (contents,) = await world.rows("SELECT attachments FROM message_contents")
    assert len(json.loads(str(contents["attachments"]))) == 1


async def test_a_mail_without_a_signal_is_found_by_polling(world: World) -> None:
    await world.send(mails.plain(subject="signalled"))
    await delivered(world, 1)  # so the dispatcher has polled once already
    other = core_over(world.store, SystemClock(), settings=SETTINGS, wake=NoWake())
    world.accept = other.accept
    await world.send(mails.plain(subject="not signalled"))
    await delivered(world, 2)
    await other.close()


async def test_many_mails_are_each_posted_once(world: World) -> None:
    await asyncio.gather(*(world.send(mails.plain(subject=f"Mail {n}")) for n in range(50)))
    await delivered(world, 50)
    assert len(world.slack.posts) == 50
    assert max(world.slack.peak.values()) == 1


async def test_a_fault_of_the_net_is_tried_again(world: World) -> None:
    world.slack.script("general", Reset(), Answer(503, "busy"))
    await world.send(mails.plain())
    await until(lambda: len(world.slack.posts) == 1, "the first try")

    async def due() -> None:
        await world.rows("UPDATE deliveries SET next_attempt_at = 1 WHERE state = 'pending'")

    for tries in (2, 3):
        for _ in range(200):
            (row,) = await world.rows("SELECT claims FROM deliveries")
            if row["claims"] == 0:
                break
            await asyncio.sleep(0.02)
        await due()
        await world.slack.wait_for(tries)
    await delivered(world, 1)
    rows = await world.rows("SELECT outcome FROM attempts ORDER BY n")
    assert [row["outcome"] for row in rows] == ["retry", "retry", "sent"]


async def test_a_webhook_that_hangs_delays_no_other(world: World) -> None:
    hang = Hang()
    world.slack.script("stuck", hang)
    stuck = await world.alias("stuck", await world.integration("stuck"))
    await world.send(mails.plain(), stuck)
    await until(lambda: len(world.slack.posts_to("stuck")) == 1, "the request that hangs")
    for n in range(10):
        await world.send(mails.plain(subject=f"Mail {n}"))
    await world.slack.wait_for(10, "general", delivered=True)
    hang.release()
    await delivered(world, 11)


async def test_a_webhook_that_is_gone_parks_and_a_refused_form_becomes_text(world: World) -> None:
    world.slack.script("general", Answer(400, "invalid_blocks"))
    await world.send(mails.plain())
    await delivered(world, 1)
    (row,) = await world.rows("SELECT via FROM deliveries")
    assert row["via"] == "text"
    world.slack.forget("general")
    await world.send(mails.plain(subject="Second"))

    for _ in range(200):
        (integration,) = await world.rows("SELECT status, last_error FROM integrations")
        if integration["status"] == "failing":
            break
        await asyncio.sleep(0.02)
    assert integration["status"] == "failing"
    assert "no_service" in str(integration["last_error"])


async def test_an_erased_ticket_is_no_longer_owed(world: World) -> None:
    hang = Hang()
    world.slack.script("general", hang)
    await world.send(mails.plain())
    await world.send(mails.plain(subject="Second"))
    await until(lambda: len(world.slack.posts) == 1, "the first request")
    await world.rows("DELETE FROM tickets WHERE number = 2")
    hang.release()
    await delivered(world, 1)
    assert len(world.slack.posts) == 1


async def test_stopping_waits_for_the_outcome(store: Store, slack: SlackStandIn) -> None:
    world = World(store, slack)
    await world.build()
    hang = Hang()
    slack.script("general", hang)
    async with working(world):
        await world.send(mails.plain())
        await until(lambda: len(slack.posts) == 1, "the request")
        world.dispatcher.stop()
        hang.release()
    rows = await world.rows("SELECT state FROM deliveries")
    assert [row["state"] for row in rows] == ["delivered"]
    rows = await world.rows("SELECT lease_until FROM integrations")
    assert [row["lease_until"] for row in rows] == [0]


@pytest.mark.parametrize("comes_back", [True, False])
async def test_while_stopping_an_outcome_waits_for_the_database_but_not_for_ever(
    comes_back: bool, store: Store, slack: SlackStandIn
) -> None:
    """What is not written stays an open attempt under a lease, so it is sent again by whoever comes after the lease."""
    world = World(store, slack, drain=30 if comes_back else 0.01)
    await world.build()
    hang = Hang()
    slack.script("general", hang)
    with capture_logs() as log:
        async with working(world):
            await world.send(mails.plain())
            await until(lambda: len(slack.posts) == 1, "the request")
            world.outbox.away = True
            hang.release()
            await until(lambda: any(line["event"] == "dispatch.store_away" for line in log), "a try")
            world.dispatcher.stop()
            world.outbox.away = not comes_back
    (row,) = await world.rows("SELECT outcome, lease_until FROM attempts CROSS JOIN integrations")
    assert (row["outcome"], bool(row["lease_until"])) == (("sent", False) if comes_back else ("open", True))
    events = [line["event"] for line in log]
    assert ("dispatch.outcome_not_written" in events) is not comes_back
