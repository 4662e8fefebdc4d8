"""The loss audit passes after normal operation and finds each fault that a test inserts."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from router.admin.installation.loss_audit import audit_losses
from router.store.erasure import erase_ticket
from tests.support.installation import Installation, seeded_installation
from tests.support.stores import Store


async def send(installation: Installation, *names: str, number: int = 1, body: str = "Text.") -> None:
    content = f"From: a@b.test\r\nMessage-ID: <{number}@b.test>\r\n\r\n{body}\r\n".encode()
    await installation.accept_message(content, *names, reverse_path="a@b.test")


@pytest.fixture
async def installation(store: Store) -> AsyncIterator[Installation]:
    """An installation with three aliases, one of them without an integration."""
    async with seeded_installation(store) as found:
        await found.add_alias("quiet", None)
        yield found


async def test_an_empty_database_passes_the_audit(installation: Installation) -> None:
    assert (await audit_losses(installation.database)).list_faults() == []


async def test_messages_repeats_and_replies_pass_the_audit(installation: Installation) -> None:
    await send(installation, "support", "billing", "quiet")
    await send(installation, "support", "billing", "quiet")
    await send(installation, "support", number=2)
    await send(installation, "support", "billing", number=2)
    await asyncio.gather(*(send(installation, "support", number=3) for _ in range(5)))
    found = await audit_losses(installation.database)
    assert found.list_faults() == []
    assert (found.messages, found.accepted, found.repeated, found.events) == (4, 7, 1, 6)
    assert (found.expected, found.pending) == (5, 5)
    assert found.repeats == 3 + 1 + 4
    assert "accepted 7 = ticketed 6 + repeated 1" in found.summary


async def test_the_audit_passes_after_erasing_a_ticket(installation: Installation) -> None:
    await send(installation, "support", "billing", "quiet")
    rows = await installation.execute("SELECT id FROM tickets ORDER BY id")
    for n, row in enumerate(rows, start=1):
        async with installation.database.transaction() as transaction:
            assert await erase_ticket(transaction, str(row["id"])) == (n == 3)
        found = await audit_losses(installation.database)
        assert found.list_faults() == []
        assert found.accepted == 3 - n


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("DELETE FROM ticket_messages", "accepted for 2 aliases, but ticketed for 0"),
        ("DELETE FROM ticket_messages WHERE recipient LIKE 'billing%'", "accepted for 2 aliases, but ticketed for 1"),
        ("DELETE FROM ticket_messages", "tickets without a message"),
        ("DELETE FROM ticket_messages", "messages with missing tickets or deliveries: msg_"),
        ("DELETE FROM tickets WHERE address LIKE 'support%'", "accepted for 2 aliases, but ticketed for 1"),
        ("DELETE FROM deliveries", "2 ticket events have an integration, but there are 0 deliveries"),
        ("DELETE FROM deliveries", "messages with missing tickets or deliveries: msg_"),
        (
            "INSERT INTO deliveries (id, workspace_id, ticket_id, message_id, integration_id, event, expires_at, "
            "created_at, state) SELECT id || 'x', workspace_id, ticket_id, message_id, integration_id, event, "
            "expires_at, created_at, 'dead' FROM deliveries",
            "2 ticket events have more than one delivery",
        ),
        ("UPDATE deliveries SET next_attempt_at = NULL", "pending deliveries that are never attempted: dlv_"),
        ("UPDATE deliveries SET integration_id = 'int_gone'", "pending deliveries that are never attempted: dlv_"),
        ("DELETE FROM raw_chunks", "messages with incomplete raw data: msg_"),
        ("DELETE FROM raw_chunks WHERE n = 1", "messages with incomplete raw data: msg_"),
    ],
)
async def test_each_fault_is_found(installation: Installation, damage: str, words: str) -> None:
    await send(installation, "support", "billing", body="x" * 300_000)
    assert (await audit_losses(installation.database)).list_faults() == []
    await installation.execute(damage)
    assert any(words in fault for fault in (await audit_losses(installation.database)).list_faults())


@pytest.mark.parametrize("state", ["delivered", "dead", "spam", "parked"])
async def test_every_state_of_a_delivery_passes_the_audit(installation: Installation, state: str) -> None:
    await send(installation, "support")
    await installation.execute(
        "UPDATE deliveries SET next_attempt_at = NULL, "
        + ("parked_at = 1" if state == "parked" else f"state = '{state}'")
    )
    found = await audit_losses(installation.database)
    assert found.list_faults() == []
    assert f"held as spam {int(state == 'spam')} + without" in found.summary
