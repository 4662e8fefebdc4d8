"""Delivery use cases."""

import pytest

from router.errors import Refused
from router.filters import DeliveryFilter
from tests.support import seeds
from tests.support.installation import Installation
from tests.support.refusal import refused_code


async def test_lists_are_filtered_by_ticket_integration_and_state(installation: Installation) -> None:
    actor, deliveries, integration_id = (
        installation.actor,
        installation.services.deliveries,
        installation.integration_id,
    )
    ticket_id = await installation.accept_ticket()
    await installation.accept_ticket()
    listed = (await deliveries.list(actor)).items
    assert [(delivery.state, delivery.ticket_id == ticket_id) for delivery in listed] == [
        ("pending", False),
        ("pending", True),
    ]
    for state, of_integration, count in (
        (None, integration_id, 2),
        ("pending", None, 2),
        ("delivered", None, 0),
        ("dead", None, 0),
        ("pending", integration_id, 2),
        ("dead", integration_id, 0),
        (None, "int_none", 0),
    ):
        found = await deliveries.list(actor, DeliveryFilter(state=state, integration_id=of_integration))
        assert len(found.items) == count, (state, of_integration)
    assert [delivery.id for delivery in (await deliveries.list(actor, DeliveryFilter(ticket_id=ticket_id))).items] == [
        listed[1].id
    ]
    stranger = await installation.add_workspace()
    assert (await deliveries.list(stranger)).items == ()
    assert await refused_code(deliveries.get(stranger, listed[0].id)) == ("not_found", None)


async def test_a_delivered_delivery_lists_its_attempts_and_cannot_be_replayed(installation: Installation) -> None:
    actor, deliveries = installation.actor, installation.services.deliveries
    await installation.accept_ticket()
    (delivery,) = (await deliveries.list(actor)).items
    database, now = installation.database, installation.clock.now()
    await seeds.insert_attempt(database, delivery.id, at=now, outcome="sent", status=200, latency=12_000, answer="ok")
    await database.execute("dispatch_mark_delivered", id=delivery.id, now=now, via="message")
    view = await deliveries.get(actor, delivery.id)
    assert (view.delivery.state, view.delivery.attempts, view.delivery.delivered_at) == ("delivered", 1, now)
    (attempt,) = view.attempts
    assert (attempt.status, attempt.latency, attempt.answer) == (200, 12_000, "ok")
    assert await refused_code(deliveries.replay(actor, delivery.id)) == ("conflict", None)


async def test_a_dead_delivery_is_not_replayed_while_its_ticket_is_spam(installation: Installation) -> None:
    actor, deliveries, spam = installation.actor, installation.services.deliveries, installation.services.spam
    ticket_id, other_id = await installation.accept_ticket(), await installation.accept_ticket()
    other, held = (await deliveries.list(actor)).items
    for delivery in (held, other):
        await installation.database.execute("dispatch_mark_dead", id=delivery.id, reason="gave up")
    await spam.mark(actor, ticket_id, spam=True)
    with pytest.raises(Refused, match="held as spam") as refused:
        await deliveries.replay(actor, held.id)
    assert refused.value.code == "conflict"
    assert await deliveries.replay_many(actor) == 1
    assert [each.ticket_id for each in (await deliveries.list(actor, DeliveryFilter(state="dead"))).items] == [
        ticket_id
    ]
    await installation.execute(f"UPDATE deliveries SET event = 'updated' WHERE id = '{held.id}'")
    assert (await deliveries.replay(actor, held.id)).state == "pending", "posts of spam are still updated"
    await installation.execute(f"UPDATE deliveries SET event = 'opened', state = 'dead' WHERE id = '{held.id}'")
    await spam.mark(actor, ticket_id, spam=False)
    assert (await deliveries.replay(actor, held.id)).state == "pending"
    await spam.mark(actor, other_id, spam=True)
    assert await refused_code(deliveries.replay(actor, other.id)) == ("conflict", None)


async def test_deliveries_are_replayed(installation: Installation) -> None:
    actor, deliveries, integration_id = (
        installation.actor,
        installation.services.deliveries,
        installation.integration_id,
    )
    for _ in range(3):
        await installation.accept_ticket()
    one, two, _ = (await deliveries.list(actor)).items
    for delivery in (one, two):
        await installation.database.execute("dispatch_mark_dead", id=delivery.id, reason="gave up")
    installation.clock.advance(days=5)
    installation.recording_wake.integration_ids.clear()
    replayed = await deliveries.replay(actor, one.id)
    assert (replayed.state, replayed.next_attempt_at) == ("pending", installation.clock.now())
    assert replayed.expires_at > installation.clock.now()
    assert installation.recording_wake.integration_ids == [integration_id]
    assert await deliveries.replay_many(actor, integration_id=integration_id) == 1
    assert (await deliveries.list(actor, DeliveryFilter(state="dead"))).items == ()
    assert await deliveries.replay_many(actor, state="pending") == 3
    for state in ("delivered", ""):
        assert await refused_code(deliveries.replay_many(actor, state=state)) == ("invalid_request", "state")
    for unknown in ("int_none", ""):
        refused = await refused_code(deliveries.replay_many(actor, integration_id=unknown))
        assert refused == ("invalid_integration", "integrationId")
