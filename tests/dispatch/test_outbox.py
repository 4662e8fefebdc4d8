"""The outbox on both databases: attempt before action, and what each outcome leaves behind."""

import json

import pytest

from router import ids
from router.channels.contract import Failed, Outcome, Retry, Sent
from router.clock import SECOND
from router.dispatch.outbox import Finished, Limits, Outbox, Pause, Work
from tests.support import seeds
from tests.support.clock import FakeClock
from tests.support.stores import Store

LIMITS = Limits(per_second=1, burst=5, digest_after=20, lease=60 * SECOND, max_claims=3, patience=2 * SECOND)
DIGEST = 50


class World:
    """One integration with deliveries, and two processes that may send them."""

    def __init__(self, store: Store, limits: Limits = LIMITS) -> None:
        self.store = store
        self.clock = FakeClock()
        self.one = Outbox(store.database, self.clock, "one", limits)
        self.two = Outbox(store.database, self.clock, "two", limits)

    async def build(self, deliveries: int = 1) -> None:
        database = self.store.database
        self.workspace = await seeds.workspace(database)
        self.integration = await seeds.integration(database, self.workspace)
        self.deliveries = [await self.owe(n) for n in range(1, deliveries + 1)]

    async def owe(self, number: int) -> str:
        """A ticket with a delivery that is due now; returns the delivery's id."""
        now = self.clock.now()
        ticket, delivery = ids.new("ticket"), ids.new("dlv")
        await seeds.execute(
            self.store.database,
            "INSERT INTO tickets (id, workspace_id, number, address, subject, from_address, from_name, received_at, "
            "updated_at) VALUES (:id, :workspace, :number, 'a@b.test', 's', 'f@c.test', '', :now, :now)",
            id=ticket,
            workspace=self.workspace,
            number=number,
            now=now,
        )
        await seeds.execute(
            self.store.database,
            "INSERT INTO deliveries (id, workspace_id, ticket_id, message_id, integration_id, event, next_attempt_at, "
            "expires_at, created_at) "
            "VALUES (:id, :workspace, :ticket, 'msg_x', :integration, 'opened', :now, :expires, :now)",
            id=delivery,
            workspace=self.workspace,
            ticket=ticket,
            integration=self.integration,
            now=now,
            expires=now + 3 * 24 * 3600 * SECOND,
        )
        return delivery

    async def turn(self, finished: Finished | None = None, *, by: Outbox | None = None, stop: bool = False) -> object:
        return await (by or self.one).turn(self.integration, finished, DIGEST, stop=stop)

    async def work(self, *, by: Outbox | None = None) -> Work:
        found = await self.turn(by=by)
        assert isinstance(found, Work), found
        return found

    async def finish(self, work: Work, outcome: Outcome, *, stop: bool = False) -> object:
        return await self.turn(Finished(work, outcome, 0.0), stop=stop)

    async def delivery(self, n: int = 0) -> dict[str, object]:
        (row,) = await seeds.execute(
            self.store.database, "SELECT * FROM deliveries WHERE id = :id", id=self.deliveries[n]
        )
        return row

    async def the_integration(self) -> dict[str, object]:
        (row,) = await seeds.execute(self.store.database, "SELECT * FROM integrations")
        return row

    async def attempts(self, n: int = 0) -> list[dict[str, object]]:
        return await seeds.execute(
            self.store.database, "SELECT * FROM attempts WHERE delivery_id = :id ORDER BY n", id=self.deliveries[n]
        )


@pytest.fixture
async def world(store: Store) -> World:
    found = World(store)
    await found.build()
    return found


async def test_the_attempt_is_written_before_the_work_is_handed_out(world: World) -> None:
    work = await world.work()
    assert work.deliveries[0].id == world.deliveries[0]
    (attempt,) = await world.attempts()
    assert (attempt["n"], attempt["outcome"], attempt["finished_at"]) == (1, "open", None)
    row = await world.delivery()
    assert (row["attempts"], row["claims"]) == (1, 1)
    assert row["next_attempt_at"] == world.clock.now() + LIMITS.lease


async def test_sent_is_delivered_and_lets_go(world: World) -> None:
    work = await world.work()
    assert await world.finish(work, Sent(200, "ok", 1500)) is None
    row = await world.delivery()
    assert (row["state"], row["via"], row["delivered_at"]) == ("delivered", "message", world.clock.now())
    (attempt,) = await world.attempts()
    assert (attempt["outcome"], attempt["status"], attempt["latency"], attempt["answer"]) == ("sent", 200, 1500, "ok")
    assert (await world.the_integration())["lease_until"] == 0


async def test_no_second_process_sends_to_a_webhook_that_is_held(world: World) -> None:
    await world.owe(2)
    await world.work()
    assert await world.one.ready(10) == []
    assert await world.turn(by=world.two) is None
    world.clock.advance(61)
    assert await world.two.ready(10) == [world.integration]
    await world.work(by=world.two)
    assert await world.turn(by=world.one) is None


async def test_after_a_crash_the_attempt_is_lost_and_made_again(world: World) -> None:
    await world.work()
    world.clock.advance(61)
    await world.work(by=world.two)
    assert [a["outcome"] for a in await world.attempts()] == ["lost", "open"]


async def test_what_a_dead_process_held_is_due_at_once(world: World) -> None:
    await world.work()
    assert await world.two.owners() == ["one"]
    await world.two.free_owner("one")
    assert await world.two.ready(10) == [world.integration]
    assert (await world.work(by=world.two)).attempts == (2,)


async def test_a_poisoned_delivery_ends_after_its_claims(world: World) -> None:
    for _ in range(LIMITS.max_claims):
        await world.work()
        world.clock.advance(61)
    assert await world.turn() is None
    row = await world.delivery()
    assert row["state"] == "dead"
    assert "3 times without an outcome" in str(row["last_error"])


async def test_an_outcome_of_a_process_that_lost_its_lease_is_still_written(world: World) -> None:
    """A process that was paused past its lease: it did send, so the delivery is done, whoever holds the lane now."""
    work = await world.work()
    world.clock.advance(61)
    again = await world.work(by=world.two)
    assert await world.finish(work, Sent(200)) is None
    assert (await world.delivery())["state"] == "delivered"
    assert (await world.the_integration())["lease_owner"] == "two"
    await world.two.turn(world.integration, Finished(again, Retry(None, "timed out"), 0.0), DIGEST)
    assert (await world.delivery())["state"] == "delivered"


async def test_retry_waits_its_step_and_keeps_the_reason(world: World) -> None:
    work = await world.work()
    assert await world.finish(work, Retry(None, "HTTP 503", status=503)) is None
    row = await world.delivery()
    assert (row["state"], row["claims"], row["last_error"]) == ("pending", 0, "HTTP 503")
    assert row["next_attempt_at"] == world.clock.now() + 5 * SECOND
    assert (await world.the_integration())["last_error"] == "HTTP 503"


async def test_retry_after_holds_the_whole_webhook(store: Store) -> None:
    world = World(store)
    await world.build(2)
    await world.finish(await world.work(), Retry(30.0, "rate limited", status=429))
    assert (await world.delivery())["next_attempt_at"] == world.clock.now() + 30 * SECOND
    assert await world.one.ready(10) == []
    assert await world.turn() is None
    world.clock.advance(30)
    assert await world.one.ready(10) == [world.integration]
    assert (await world.work()).deliveries[0].id in world.deliveries


async def test_max_age_is_the_end(world: World) -> None:
    work = await world.work()
    world.clock.advance(days=3)
    await world.finish(work, Retry(None, "HTTP 500"))
    row = await world.delivery()
    assert (row["state"], row["next_attempt_at"]) == ("dead", None)
    assert row["last_error"] == "gave up: HTTP 500"


async def test_rejected_is_dead_at_once(world: World) -> None:
    await world.finish(await world.work(), Failed("rejected", "HTTP 302: redirects are not followed"))
    row = await world.delivery()
    assert (row["state"], row["last_error"]) == ("dead", "HTTP 302: redirects are not followed")


async def test_a_refused_form_is_sent_again_as_text_and_then_dead(world: World) -> None:
    second = await world.finish(await world.work(), Failed("payload", "invalid_blocks", status=400))
    assert isinstance(second, Work)
    assert second.form == "text"
    await world.finish(second, Failed("payload", "invalid_payload", status=400))
    row = await world.delivery()
    assert row["state"] == "dead"
    assert [a["outcome"] for a in await world.attempts()] == ["refused", "refused"]


async def test_text_that_arrives_says_so(world: World) -> None:
    second = await world.finish(await world.work(), Failed("payload", "invalid_blocks"))
    assert isinstance(second, Work)
    await world.finish(second, Sent(200))
    assert (await world.delivery())["via"] == "text"


async def test_the_pace_lets_a_burst_through_and_then_one_a_second(store: Store) -> None:
    world = World(store)
    await world.build(7)
    turn: object = await world.turn()
    for _ in range(4):
        assert isinstance(turn, Work)
        turn = await world.finish(turn, Sent(200))
    assert isinstance(turn, Work)
    turn = await world.finish(turn, Sent(200))
    assert isinstance(turn, Pause)
    assert turn.until == world.clock.now() + SECOND
    world.clock.advance(1)
    assert isinstance(await world.turn(), Work)


async def test_a_flood_becomes_a_digest_that_names_each(store: Store) -> None:
    world = World(store)
    await world.build(60)
    work = await world.work()
    assert (work.form, len(work.deliveries)) == ("digest", DIGEST)
    rest = await world.finish(work, Sent(200))
    assert isinstance(rest, Work)
    assert (rest.form, len(rest.deliveries)) == ("message", 1)
    rows = await seeds.execute(store.database, "SELECT via FROM deliveries WHERE state = 'delivered'")
    assert [row["via"] for row in rows] == ["digest"] * DIGEST


async def test_a_permanent_answer_parks_everything_and_probes(store: Store) -> None:
    world = World(store)
    await world.build(3)
    assert await world.finish(await world.work(), Failed("permanent", "no_service", status=404)) is None
    integration = await world.the_integration()
    assert (integration["status"], integration["last_error"]) == ("failing", "no_service")
    assert integration["probe_at"] == world.clock.now() + 300 * SECOND
    for n in range(3):
        row = await world.delivery(n)
        assert (row["state"], row["next_attempt_at"], row["parked_at"]) == ("pending", None, world.clock.now())
    assert await world.one.ready(10) == []

    world.clock.advance(300)
    assert await world.one.ready(10) == [world.integration]
    probe = await world.work()
    assert probe.probe
    assert len(probe.deliveries) == 1
    await world.finish(probe, Failed("permanent", "no_service", status=404))
    integration = await world.the_integration()
    assert integration["probe_at"] == world.clock.now() + 600 * SECOND

    world.clock.advance(600)
    following = await world.finish(await world.work(), Sent(200))
    assert isinstance(following, Work)
    assert not following.probe
    integration = await world.the_integration()
    assert (integration["status"], integration["last_error"], integration["failing_since"]) == ("active", "", None)


async def test_max_age_stands_still_while_parked(world: World) -> None:
    before = (await world.delivery())["expires_at"]
    await world.owe(2)
    await world.finish(await world.work(), Failed("permanent", "no_service"))
    world.clock.advance(days=10)
    probe = await world.work()
    await world.finish(probe, Sent(200))
    rows = await seeds.execute(world.store.database, "SELECT expires_at FROM deliveries WHERE state = 'pending'")
    assert [row["expires_at"] for row in rows] == [int(str(before)) + 10 * 24 * 3600 * SECOND]


async def test_a_probe_that_meets_a_fault_of_the_net_probes_again_later(world: World) -> None:
    await world.finish(await world.work(), Failed("permanent", "no_service"))
    world.clock.advance(300)
    await world.finish(await world.work(), Retry(None, "connection refused"))
    row = await world.delivery()
    assert (row["state"], row["next_attempt_at"]) == ("pending", None)
    assert (await world.the_integration())["probe_at"] == world.clock.now() + 600 * SECOND


async def test_stopping_writes_the_outcome_and_opens_nothing(store: Store) -> None:
    world = World(store)
    await world.build(2)
    assert await world.finish(await world.work(), Sent(200), stop=True) is None
    assert (await world.delivery(0))["state"] == "delivered"
    assert (await world.delivery(1))["attempts"] == 0
    assert json.dumps((await world.the_integration())["lease_owner"]) == '""'


async def test_what_is_owed_to_nobody_ends(world: World) -> None:
    """An integration removed in the moment of a commit leaves a delivery that no lane would ever take."""
    await seeds.execute(world.store.database, "DELETE FROM integrations")
    await world.one.mend()
    row = await world.delivery()
    assert (row["state"], row["last_error"]) == ("dead", "the integration was removed")


async def test_the_old_urls_answer_says_nothing_about_the_new_one(world: World) -> None:
    work = await world.work()
    await seeds.execute(world.store.database, "UPDATE integrations SET sealed_settings = 'new'")
    again = await world.finish(work, Failed("permanent", "no_service", status=404))
    assert isinstance(again, Work)
    assert (await world.the_integration())["status"] == "active"
    assert (await world.delivery())["parked_at"] is None


async def test_a_probe_that_was_overtaken_by_healing_leaves_nothing_stuck(world: World) -> None:
    await world.finish(await world.work(), Failed("permanent", "no_service"))
    world.clock.advance(300)
    probe = await world.work()
    await seeds.execute(world.store.database, "UPDATE integrations SET status = 'active', probe_at = NULL")
    await world.store.database.run("dispatch_unpark", integration_id=world.integration, now=world.clock.now())
    world.clock.advance(days=4)
    await world.finish(probe, Retry(None, "timed out"))
    row = await world.delivery()
    assert row["state"] == "pending"
    assert row["next_attempt_at"] is not None
    assert (await world.the_integration())["status"] == "active"
