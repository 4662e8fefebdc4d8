"""Many deliveries are parked, and made due again, in steps: a group of outcomes waits for one step only."""

import pytest

from router.channels.contract import SendFailure, SendSuccess
from router.dispatch import outbox_transaction, outcome_statements
from router.dispatch.delivery_batch import DeliveryBatch, PacingDelay
from tests.support.outboxes import OpenOutboxes, Outboxes

STEP = 3
DELIVERIES = 8


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (outbox_transaction, outcome_statements):
        monkeypatch.setattr(module, "PARK_STEP", STEP)


async def _count_parked(outboxes: Outboxes) -> object:
    (row,) = await outboxes.installation.execute("SELECT COUNT(*) AS n FROM deliveries WHERE parked_at IS NOT NULL")
    return row["n"]


async def test_a_failing_integration_parks_its_deliveries_in_steps(open_outboxes: OpenOutboxes) -> None:
    outboxes = await open_outboxes(DELIVERIES)
    now = outboxes.clock.now()
    batch = await outboxes.claim_batch()
    claims = [await outboxes.record_batch(batch, SendFailure("permanent", "no_service"))]
    parked = [await _count_parked(outboxes)]
    while claims[-1] is not None:
        claims.append(await outboxes.claim_and_record())
        parked.append(await _count_parked(outboxes))
    assert claims == [PacingDelay(now), PacingDelay(now), None]
    assert parked == [STEP, 2 * STEP, DELIVERIES]
    assert (await outboxes.integration_row())["lease_owner"] == ""


async def test_parking_that_was_interrupted_continues_before_the_probe(open_outboxes: OpenOutboxes) -> None:
    outboxes = await open_outboxes(DELIVERIES)
    await outboxes.record_batch(await outboxes.claim_batch(), SendFailure("permanent", "no_service"), stop=True)
    outboxes.clock.advance(300)
    for _ in range(DELIVERIES // STEP):
        assert isinstance(await outboxes.claim_and_record(), PacingDelay)
    assert (await outboxes.claim_batch()).probe
    assert await _count_parked(outboxes) == DELIVERIES


async def test_deliveries_become_due_in_steps_after_a_reactivation(open_outboxes: OpenOutboxes) -> None:
    outboxes = await open_outboxes(DELIVERIES)
    await outboxes.record_batch(await outboxes.claim_batch(), SendFailure("permanent", "no_service"))
    while await _count_parked(outboxes) != DELIVERIES:
        await outboxes.claim_and_record()
    outboxes.clock.advance(300)
    claim: object = await outboxes.record_batch(await outboxes.claim_batch(), SendSuccess(200))
    left = [await _count_parked(outboxes)]
    sent = 1
    while isinstance(claim, DeliveryBatch) or await outboxes.first.find_ready_integrations(1):
        outboxes.clock.advance(10)
        if isinstance(claim, DeliveryBatch):
            sent += len(claim.deliveries)
            claim = await outboxes.record_batch(claim, SendSuccess(200))
        else:
            claim = await outboxes.claim_and_record()
            left.append(await _count_parked(outboxes))
    assert left == [DELIVERIES - 1 - STEP, DELIVERIES - 1 - 2 * STEP, 0]
    assert sent == DELIVERIES
