"""Attempts are recorded before requests, and each outcome is recorded correctly."""

import json

import pytest

from router.channels.contract import SendFailure, SendRetry, SendSuccess
from router.clock import SECOND
from router.dispatch.delivery_batch import CompletedBatch, DeliveryBatch, PacingDelay
from tests.support import seeds
from tests.support.outboxes import DIGEST, LIMITS, OpenOutboxes, Outboxes


@pytest.fixture
async def outboxes(open_outboxes: OpenOutboxes) -> Outboxes:
    return await open_outboxes()


async def test_the_attempt_is_recorded_before_the_batch_is_returned(outboxes: Outboxes) -> None:
    batch = await outboxes.claim_batch()
    assert batch.deliveries[0].id == outboxes.delivery_ids[0]
    (attempt,) = await outboxes.attempt_rows()
    assert (attempt["n"], attempt["outcome"], attempt["finished_at"]) == (1, "open", None)
    row = await outboxes.delivery_row()
    assert (row["attempts"], row["claims"]) == (1, 1)
    assert row["next_attempt_at"] == outboxes.clock.now() + LIMITS.lease


async def test_a_success_marks_delivered_and_releases_the_lease(outboxes: Outboxes) -> None:
    batch = await outboxes.claim_batch()
    assert await outboxes.record_batch(batch, SendSuccess(200, "ok", 1500)) is None
    row = await outboxes.delivery_row()
    assert (row["state"], row["via"], row["delivered_at"]) == ("delivered", "message", outboxes.clock.now())
    (attempt,) = await outboxes.attempt_rows()
    assert (attempt["outcome"], attempt["status"], attempt["latency"], attempt["answer"]) == ("sent", 200, 1500, "ok")
    assert (await outboxes.integration_row())["lease_until"] == 0


async def test_no_second_process_sends_to_a_leased_webhook(outboxes: Outboxes) -> None:
    await outboxes.queue_delivery(2)
    await outboxes.claim_batch()
    assert await outboxes.first.find_ready_integrations(10) == []
    assert await outboxes.claim_and_record(by=outboxes.second) is None
    outboxes.clock.advance(61)
    assert await outboxes.second.find_ready_integrations(10) == [outboxes.integration_id]
    await outboxes.claim_batch(by=outboxes.second)
    assert await outboxes.claim_and_record(by=outboxes.first) is None


async def test_after_a_crash_the_attempt_is_lost_and_repeated(outboxes: Outboxes) -> None:
    await outboxes.claim_batch()
    outboxes.clock.advance(61)
    await outboxes.claim_batch(by=outboxes.second)
    assert [a["outcome"] for a in await outboxes.attempt_rows()] == ["lost", "open"]


async def test_deliveries_of_a_dead_process_are_due_at_once(outboxes: Outboxes) -> None:
    await outboxes.claim_batch()
    assert await outboxes.second.lease_owners() == ["one"]
    await outboxes.second.release_owner("one")
    assert await outboxes.second.find_ready_integrations(10) == [outboxes.integration_id]
    assert (await outboxes.claim_batch(by=outboxes.second)).attempts == (2,)


async def test_a_delivery_fails_after_too_many_claims(outboxes: Outboxes) -> None:
    for _ in range(LIMITS.max_claims):
        await outboxes.claim_batch()
        outboxes.clock.advance(61)
    assert await outboxes.claim_and_record() is None
    row = await outboxes.delivery_row()
    assert row["state"] == "dead"
    assert "3 times without an outcome" in str(row["last_error"])


async def test_an_outcome_after_an_expired_lease_is_recorded(outboxes: Outboxes) -> None:
    """A process that was paused sends its message after its lease has expired."""
    batch = await outboxes.claim_batch()
    outboxes.clock.advance(61)
    again = await outboxes.claim_batch(by=outboxes.second)
    assert await outboxes.record_batch(batch, SendSuccess(200)) is None
    assert (await outboxes.delivery_row())["state"] == "delivered"
    assert (await outboxes.integration_row())["lease_owner"] == "two"
    await outboxes.second.claim_and_record(
        outboxes.integration_id, CompletedBatch(again, SendRetry(None, "timed out"), 0.0)
    )
    assert (await outboxes.delivery_row())["state"] == "delivered"


async def test_a_retry_waits_its_step_and_stores_the_reason(outboxes: Outboxes) -> None:
    batch = await outboxes.claim_batch()
    assert await outboxes.record_batch(batch, SendRetry(None, "HTTP 503", status=503)) is None
    row = await outboxes.delivery_row()
    assert (row["state"], row["claims"], row["last_error"]) == ("pending", 0, "HTTP 503")
    assert row["next_attempt_at"] == outboxes.clock.now() + 5 * SECOND
    assert (await outboxes.integration_row())["last_error"] == "HTTP 503"


async def test_retry_after_pauses_the_whole_webhook(open_outboxes: OpenOutboxes) -> None:
    outboxes = await open_outboxes(2)
    await outboxes.record_batch(await outboxes.claim_batch(), SendRetry(30.0, "rate limited", status=429))
    assert (await outboxes.delivery_row())["next_attempt_at"] == outboxes.clock.now() + 30 * SECOND
    assert await outboxes.first.find_ready_integrations(10) == []
    assert await outboxes.claim_and_record() is None
    outboxes.clock.advance(30)
    assert await outboxes.first.find_ready_integrations(10) == [outboxes.integration_id]
    assert (await outboxes.claim_batch()).deliveries[0].id in outboxes.delivery_ids


async def test_a_success_can_pause_the_whole_webhook(open_outboxes: OpenOutboxes) -> None:
    outboxes = await open_outboxes(2)
    await outboxes.record_batch(await outboxes.claim_batch(), SendSuccess(200, pause=30.0))
    assert await outboxes.first.find_ready_integrations(10) == []
    outboxes.clock.advance(30)
    assert await outboxes.first.find_ready_integrations(10) == [outboxes.integration_id]


async def test_a_retry_after_max_age_fails_permanently(outboxes: Outboxes) -> None:
    batch = await outboxes.claim_batch()
    outboxes.clock.advance(days=3)
    await outboxes.record_batch(batch, SendRetry(None, "HTTP 500"))
    row = await outboxes.delivery_row()
    assert (row["state"], row["next_attempt_at"]) == ("dead", None)
    assert row["last_error"] == "failed permanently: HTTP 500"


async def test_rejected_is_dead_at_once(outboxes: Outboxes) -> None:
    await outboxes.record_batch(
        await outboxes.claim_batch(), SendFailure("rejected", "HTTP 302: redirects are not followed")
    )
    row = await outboxes.delivery_row()
    assert (row["state"], row["last_error"]) == ("dead", "HTTP 302: redirects are not followed")


async def test_a_rejected_payload_is_retried_as_text_and_then_dead(outboxes: Outboxes) -> None:
    second = await outboxes.record_batch(
        await outboxes.claim_batch(), SendFailure("payload", "invalid_blocks", status=400)
    )
    assert isinstance(second, DeliveryBatch)
    assert second.form == "text"
    await outboxes.record_batch(second, SendFailure("payload", "invalid_payload", status=400))
    row = await outboxes.delivery_row()
    assert row["state"] == "dead"
    assert [a["outcome"] for a in await outboxes.attempt_rows()] == ["refused", "refused"]


async def test_a_delivered_text_is_recorded_as_text(outboxes: Outboxes) -> None:
    second = await outboxes.record_batch(await outboxes.claim_batch(), SendFailure("payload", "invalid_blocks"))
    assert isinstance(second, DeliveryBatch)
    await outboxes.record_batch(second, SendSuccess(200))
    assert (await outboxes.delivery_row())["via"] == "text"


async def test_pacing_allows_a_burst_and_then_one_a_second(open_outboxes: OpenOutboxes) -> None:
    outboxes = await open_outboxes(7)
    result: object = await outboxes.claim_and_record()
    for _ in range(4):
        assert isinstance(result, DeliveryBatch)
        result = await outboxes.record_batch(result, SendSuccess(200))
    assert isinstance(result, DeliveryBatch)
    result = await outboxes.record_batch(result, SendSuccess(200))
    assert isinstance(result, PacingDelay)
    assert result.until == outboxes.clock.now() + SECOND
    outboxes.clock.advance(1)
    assert isinstance(await outboxes.claim_and_record(), DeliveryBatch)


async def test_many_pending_deliveries_become_a_digest(open_outboxes: OpenOutboxes) -> None:
    outboxes = await open_outboxes(60)
    batch = await outboxes.claim_batch()
    assert (batch.form, len(batch.deliveries)) == ("digest", DIGEST)
    rest = await outboxes.record_batch(batch, SendSuccess(200))
    assert isinstance(rest, DeliveryBatch)
    assert (rest.form, len(rest.deliveries)) == ("message", 1)
    rows = await seeds.execute(outboxes.installation.database, "SELECT via FROM deliveries WHERE state = 'delivered'")
    assert [row["via"] for row in rows] == ["digest"] * DIGEST


async def test_a_permanent_failure_parks_everything_and_probes(open_outboxes: OpenOutboxes) -> None:
    outboxes = await open_outboxes(3)
    assert (
        await outboxes.record_batch(await outboxes.claim_batch(), SendFailure("permanent", "no_service", status=404))
        is None
    )
    integration = await outboxes.integration_row()
    assert (integration["status"], integration["last_error"]) == ("failing", "no_service")
    assert integration["probe_at"] == outboxes.clock.now() + 300 * SECOND
    for n in range(3):
        row = await outboxes.delivery_row(n)
        assert (row["state"], row["next_attempt_at"], row["parked_at"]) == ("pending", None, outboxes.clock.now())
    assert await outboxes.first.find_ready_integrations(10) == []

    outboxes.clock.advance(300)
    assert await outboxes.first.find_ready_integrations(10) == [outboxes.integration_id]
    probe = await outboxes.claim_batch()
    assert probe.probe
    assert len(probe.deliveries) == 1
    await outboxes.record_batch(probe, SendFailure("permanent", "no_service", status=404))
    integration = await outboxes.integration_row()
    assert integration["probe_at"] == outboxes.clock.now() + 600 * SECOND

    outboxes.clock.advance(600)
    following = await outboxes.record_batch(await outboxes.claim_batch(), SendSuccess(200))
    assert isinstance(following, DeliveryBatch)
    assert not following.probe
    integration = await outboxes.integration_row()
    assert (integration["status"], integration["last_error"], integration["failing_since"]) == ("active", "", None)


async def test_max_age_stops_while_parked(outboxes: Outboxes) -> None:
    before = (await outboxes.delivery_row())["expires_at"]
    await outboxes.queue_delivery(2)
    await outboxes.record_batch(await outboxes.claim_batch(), SendFailure("permanent", "no_service"))
    outboxes.clock.advance(days=10)
    probe = await outboxes.claim_batch()
    await outboxes.record_batch(probe, SendSuccess(200))
    rows = await outboxes.installation.execute("SELECT expires_at FROM deliveries WHERE state = 'pending'")
    assert [row["expires_at"] for row in rows] == [int(str(before)) + 10 * 24 * 3600 * SECOND]


async def test_a_probe_with_a_network_error_is_repeated_later(outboxes: Outboxes) -> None:
    await outboxes.record_batch(await outboxes.claim_batch(), SendFailure("permanent", "no_service"))
    outboxes.clock.advance(300)
    await outboxes.record_batch(await outboxes.claim_batch(), SendRetry(None, "connection refused"))
    row = await outboxes.delivery_row()
    assert (row["state"], row["next_attempt_at"]) == ("pending", None)
    assert (await outboxes.integration_row())["probe_at"] == outboxes.clock.now() + 600 * SECOND


async def test_a_stop_records_the_outcome_and_opens_no_attempt(open_outboxes: OpenOutboxes) -> None:
    outboxes = await open_outboxes(2)
    assert await outboxes.record_batch(await outboxes.claim_batch(), SendSuccess(200), stop=True) is None
    assert (await outboxes.delivery_row(0))["state"] == "delivered"
    assert (await outboxes.delivery_row(1))["attempts"] == 0
    assert json.dumps((await outboxes.integration_row())["lease_owner"]) == '""'


async def test_deliveries_without_an_integration_fail_permanently(outboxes: Outboxes) -> None:
    """If an integration is deleted while a message is committed, no worker would claim the delivery."""
    await outboxes.installation.execute("DELETE FROM integrations")
    await outboxes.first.repair()
    row = await outboxes.delivery_row()
    assert (row["state"], row["last_error"]) == ("dead", "the integration was removed")


async def test_a_response_of_the_old_url_does_not_affect_the_new_one(outboxes: Outboxes) -> None:
    batch = await outboxes.claim_batch()
    await outboxes.installation.execute("UPDATE integrations SET encrypted_settings = 'new'")
    again = await outboxes.record_batch(batch, SendFailure("permanent", "no_service", status=404))
    assert isinstance(again, DeliveryBatch)
    assert (await outboxes.integration_row())["status"] == "active"
    assert (await outboxes.delivery_row())["parked_at"] is None


async def test_a_probe_after_a_reactivation_leaves_nothing_parked(outboxes: Outboxes) -> None:
    await outboxes.record_batch(await outboxes.claim_batch(), SendFailure("permanent", "no_service"))
    outboxes.clock.advance(300)
    probe = await outboxes.claim_batch()
    await outboxes.installation.execute("UPDATE integrations SET status = 'active', probe_at = NULL")
    await outboxes.installation.database.execute(
        "dispatch_unpark", integration_id=outboxes.integration_id, now=outboxes.clock.now(), limit=100
    )
    outboxes.clock.advance(days=4)
    await outboxes.record_batch(probe, SendRetry(None, "timed out"))
    row = await outboxes.delivery_row()
    assert row["state"] == "pending"
    assert row["next_attempt_at"] is not None
    assert (await outboxes.integration_row())["status"] == "active"
