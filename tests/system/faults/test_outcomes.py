"""What our own faults leave in the outbox, on both databases: no long wait, and no attempt without an outcome."""

from dataclasses import replace

from router.channels.contract import SendFailure, SendRetry, SendSuccess
from router.clock import SECOND
from router.dispatch.outbox import CompletedBatch, DeliveryBatch, NotSent, Outbox
from router.dispatch.schedule import WAIT_SECONDS
from tests.support.installation import Installation
from tests.support.outboxes import LIMITS, Outboxes
from tests.support.stores import Store

FIRST = WAIT_SECONDS[0] * SECOND


async def test_restarts_of_our_database_do_not_add_up(store: Store) -> None:
    """The schedule's later steps are for a far side that keeps failing."""
    rig = Outboxes(Installation(store))
    await rig.build()
    for _ in range(6):
        await rig.finish(await rig.work(), NotSent(None, "not sent: the database is away"))
        row = await rig.delivery()
        assert row["next_attempt_at"] == rig.clock.now() + FIRST
        rig.clock.advance(WAIT_SECONDS[0])
    await rig.finish(await rig.work(), SendRetry(None, "HTTP 503"))
    row = await rig.delivery()
    assert int(str(row["next_attempt_at"])) > rig.clock.now() + FIRST


async def test_an_attempt_that_was_cut_off_is_lost_also_after_parking(store: Store) -> None:
    """A digest of two is cut off; then one is told, and the answer parks both, which forgets their claims."""
    rig = Outboxes(Installation(store), replace(LIMITS, digest_after=1))
    await rig.build(2)
    assert len((await rig.work()).deliveries) == 2
    rig.clock.advance(61)
    other = Outbox(store.database, rig.clock, "other", LIMITS)
    told = await rig.work(by=other)
    await rig.turn(CompletedBatch(told, SendFailure("permanent", "no_service"), 0.0), by=other)
    rig.clock.advance(600)
    following = await rig.turn(CompletedBatch(await rig.work(by=other), SendSuccess(200), 0.0), by=other)
    assert isinstance(following, DeliveryBatch)
    outcomes = [[a["outcome"] for a in await rig.attempts(n)] for n in range(2)]
    assert sorted(outcomes) == [["lost", "open"], ["lost", "parked", "sent"]]


async def test_a_poisoned_delivery_leaves_no_open_attempt(store: Store) -> None:
    rig = Outboxes(Installation(store))
    await rig.build()
    for _ in range(LIMITS.max_claims):
        await rig.work()
        rig.clock.advance(61)
    assert await rig.turn() is None
    assert {a["outcome"] for a in await rig.attempts()} == {"lost"}
