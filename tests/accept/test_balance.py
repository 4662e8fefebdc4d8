"""The loss audit on both databases: it balances after everything the product does, and finds each seeded imbalance."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from router.admin.installation.loss_audit import Balance, balance
from router.routing.envelope import Envelope
from router.routing.route import Target
from router.store.erasure import erase_ticket
from tests.support import seeds
from tests.support.clock import FakeClock
from tests.support.core import Woken, core_over
from tests.support.stores import Store


class World:
    """Three aliases, one of them without an integration, and mails to them."""

    def __init__(self, store: Store) -> None:
        self.database = store.database
        self.core = core_over(store, FakeClock(), wake=Woken())
        self.accept = self.core.accept

    async def build(self) -> None:
        self.workspace = await seeds.workspace(self.database)
        domain = await seeds.domain(self.database, self.workspace)
        self.integration = await seeds.integration(self.database, self.workspace)
        self.aliases = {
            name: await seeds.alias(self.database, self.workspace, domain, name, integration)
            for name, integration in (("support", self.integration), ("billing", self.integration), ("quiet", None))
        }

    async def mail(self, *names: str, number: int = 1, body: str = "Text.") -> str:
        targets = tuple(
            Target(f"{n}@example.com", self.workspace, self.aliases[n], self.aliases[n], f"{n}@example.com", None, "")
            for n in names
        )
        octets = f"From: a@b.test\r\nMessage-ID: <{number}@b.test>\r\n\r\n{body}\r\n".encode()
        accepted = await self.accept.accept(Envelope("a@b.test", targets, "192.0.2.1", "b.test", "ESMTP"), octets)
        return accepted.message_id

    async def execute(self, statement: str) -> None:
        await seeds.execute(self.database, statement)

    async def balance(self) -> Balance:
        return await balance(self.database)


@pytest.fixture
async def world(store: Store) -> AsyncIterator[World]:
    found = World(store)
    await found.build()
    yield found
    await found.core.close()


async def test_an_empty_database_balances(world: World) -> None:
    assert (await world.balance()).faults() == []


async def test_mails_repeats_and_replies_balance(world: World) -> None:
    await world.mail("support", "billing", "quiet")
    await world.mail("support", "billing", "quiet")  # the same again, whole
    await world.mail("support", number=2)
    await world.mail("support", "billing", number=2)  # a retry that has a new alias
    await asyncio.gather(*(world.mail("support", number=3) for _ in range(5)))  # repeats within one group
    found = await world.balance()
    assert found.faults() == []
    assert (found.messages, found.accepted, found.repeated, found.events) == (4, 7, 1, 6)
    assert (found.owed, found.pending) == (5, 5)
    assert found.repeats == 3 + 1 + 4
    assert "accepted 7 = ticketed 6 + repeated 1" in found.sums


async def test_erasing_a_ticket_keeps_the_balance(world: World) -> None:
    await world.mail("support", "billing", "quiet")
    rows = await seeds.execute(world.database, "SELECT id FROM tickets ORDER BY id")
    for n, row in enumerate(rows, start=1):
        async with world.database.transaction() as session:
            assert await erase_ticket(session, str(row["id"])) == (n == 3)
        found = await world.balance()
        assert found.faults() == []
        assert found.accepted == 3 - n


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("DELETE FROM ticket_messages", "accepted for 2 aliases, but ticketed 0"),
        ("DELETE FROM ticket_messages WHERE recipient LIKE 'billing%'", "accepted for 2 aliases, but ticketed 1"),
        ("DELETE FROM ticket_messages", "tickets without a message"),
        ("DELETE FROM ticket_messages", "messages without all their tickets and deliveries: msg_"),
        ("DELETE FROM tickets WHERE address LIKE 'support%'", "accepted for 2 aliases, but ticketed 1"),
        ("DELETE FROM deliveries", "2 ticket events are owed to an integration, but there are 0 deliveries"),
        ("DELETE FROM deliveries", "messages without all their tickets and deliveries: msg_"),
        (
            "INSERT INTO deliveries (id, workspace_id, ticket_id, message_id, integration_id, event, expires_at, "
            "created_at, state) SELECT id || 'x', workspace_id, ticket_id, message_id, integration_id, event, "
            "expires_at, created_at, 'dead' FROM deliveries",
            "2 ticket events have more than one delivery",
        ),
        ("UPDATE deliveries SET next_attempt_at = NULL", "deliveries that wait for nothing: dlv_"),
        ("UPDATE deliveries SET integration_id = 'int_gone'", "deliveries that wait for nothing: dlv_"),
        ("DELETE FROM raw_chunks", "messages whose octets are not all there: msg_"),
        ("DELETE FROM raw_chunks WHERE n = 1", "messages whose octets are not all there: msg_"),
    ],
)
async def test_each_imbalance_is_found(world: World, damage: str, words: str) -> None:
    await world.mail("support", "billing", body="x" * 300_000)
    assert (await world.balance()).faults() == []
    await world.execute(damage)
    assert any(words in fault for fault in (await world.balance()).faults())


@pytest.mark.parametrize("state", ["delivered", "dead", "parked"])
async def test_every_state_of_a_delivery_is_in_the_balance(world: World, state: str) -> None:
    await world.mail("support")
    await world.execute(
        "UPDATE deliveries SET next_attempt_at = NULL, "
        + ("parked_at = 1" if state == "parked" else f"state = '{state}'")
    )
    assert (await world.balance()).faults() == []
