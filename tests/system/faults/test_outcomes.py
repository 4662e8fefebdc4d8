"""An unavailable database does not lengthen the wait for a retry. An interrupted attempt gets the outcome `lost`."""

from dataclasses import replace

from router.channels.contract import SendFailure, SendRetry, SendSuccess
from router.clock import SECOND
from router.dispatch.delivery_batch import CompletedBatch, DeliveryBatch, NotSent
from router.dispatch.schedule import WAIT_SECONDS
from tests.support.outboxes import LIMITS, OpenOutboxes

FIRST_WAIT = WAIT_SECONDS[0] * SECOND


async def test_database_restarts_do_not_lengthen_the_wait(open_outboxes: OpenOutboxes) -> None:
    """Longer waits of the retry schedule apply only to failures of the endpoint, but count all earlier attempts."""
    outboxes = await open_outboxes()
    for _ in range(6):
        await outboxes.record_batch(
            await outboxes.claim_batch(), NotSent(None, "not sent: the database is unavailable")
        )
        row = await outboxes.delivery_row()
        assert row["next_attempt_at"] == outboxes.clock.now() + FIRST_WAIT
        outboxes.clock.advance(WAIT_SECONDS[0])
    await outboxes.record_batch(await outboxes.claim_batch(), SendRetry(None, "HTTP 503"))
    row = await outboxes.delivery_row()
    assert int(str(row["next_attempt_at"])) > outboxes.clock.now() + FIRST_WAIT


async def test_an_interrupted_attempt_is_lost_also_after_parking(open_outboxes: OpenOutboxes) -> None:
    """The permanent failure of one delivery parks both deliveries and resets their counts of claims."""
    outboxes = await open_outboxes(2, limits=replace(LIMITS, digest_after=1))
    assert len((await outboxes.claim_batch()).deliveries) == 2
    outboxes.clock.advance(61)
    other = outboxes.new_outbox("other", LIMITS)
    batch = await outboxes.claim_batch(by=other)
    await outboxes.claim_and_record(CompletedBatch(batch, SendFailure("permanent", "no_service"), 0.0), by=other)
    outboxes.clock.advance(600)
    following = await outboxes.claim_and_record(
        CompletedBatch(await outboxes.claim_batch(by=other), SendSuccess(200), 0.0), by=other
    )
    assert isinstance(following, DeliveryBatch)
    outcomes = [[a["outcome"] for a in await outboxes.attempt_rows(n)] for n in range(2)]
    assert sorted(outcomes) == [["lost", "open"], ["lost", "parked", "sent"]]


async def test_a_delivery_with_too_many_claims_leaves_no_open_attempt(open_outboxes: OpenOutboxes) -> None:
    outboxes = await open_outboxes()
    for _ in range(LIMITS.max_claims):
        await outboxes.claim_batch()
        outboxes.clock.advance(61)
    assert await outboxes.claim_and_record() is None
    assert {a["outcome"] for a in await outboxes.attempt_rows()} == {"lost"}
