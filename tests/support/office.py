"""Mail as the core sees it, without a door: a workspace with aliases over a store, mail accepted, read and searched.

`async with office(store) as at:` gives an `Office`. Its mails come through the real `Accept` and group commit; texts
through the real `ContentStore`; tickets are asked of the real use case.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from router.admin.tickets.tickets import TicketFilter
from router.contents.pool import Parser
from router.contents.store import ContentStore
from router.meter import UNMETERED, Meter
from router.model import Actor
from router.routing.envelope import Envelope
from router.routing.route import Target
from tests.support import seeds
from tests.support.clock import FakeClock
from tests.support.core import Woken, core_over
from tests.support.stores import Store

CORPUS = Path(__file__).parents[1] / "corpus"


def corpus_mail(name: str) -> bytes:
    """A mail of tests/corpus."""
    return (CORPUS / f"{name}.eml").read_bytes()


class Office:
    """One workspace; `support` and `billing` are aliases of it with one integration."""

    def __init__(self, store: Store, parser: Parser | None, meter: Meter) -> None:
        self.store = store
        self.clock = FakeClock()
        self.core = core_over(store, self.clock, wake=Woken(), meter=meter)
        if parser is not None:
            self.core.contents = ContentStore(store.database, self.clock, self.core.meter, parser)
        self.contents = self.core.contents
        self.tickets = self.core.services.tickets
        self.accept = self.core.accept

    async def build(self) -> None:
        database = self.store.database
        self.workspace = await seeds.workspace(database)
        self.actor = Actor(self.workspace, "admin")
        domain = await seeds.domain(database, self.workspace)
        self.integration = await seeds.integration(database, self.workspace)
        self.support = await self._alias(domain, "support")
        self.billing = await self._alias(domain, "billing")

    async def _alias(self, domain: str, name: str) -> Target:
        alias = await seeds.alias(self.store.database, self.workspace, domain, name, self.integration)
        address = f"{name}@example.com"
        return Target(address, self.workspace, alias, alias, address, self.integration)

    async def mail(self, content: bytes, *targets: Target, reverse_path: str = "ann@customer.test") -> str:
        """A mail accepted, to `support` unless said otherwise; its message id."""
        envelope = Envelope(reverse_path, targets or (self.support,), "192.0.2.1", "c.test", "ESMTP")
        self.clock.advance(1)
        return (await self.accept.accept(envelope, content)).message_id

    async def rows(self, statement: str) -> list[dict[str, object]]:
        """What a statement of the test's own returns."""
        return await seeds.execute(self.store.database, statement)

    async def numbers(self) -> list[int]:
        """For each message, in the order they came, the number of the ticket it is in (at its first alias)."""
        rows = await self.rows(
            "SELECT m.id, min(t.number) AS number FROM messages m JOIN ticket_messages tm ON tm.message_id = m.id "
            "JOIN tickets t ON t.id = tm.ticket_id GROUP BY m.id ORDER BY m.id"
        )
        return [int(str(row["number"])) for row in rows]

    async def set_status(self, status: str) -> None:
        """Every ticket gets this status."""
        for ticket in (await self.tickets.list(self.actor)).items:
            await self.tickets.set_status(self.actor, ticket.id, status)

    async def found(self, q: str) -> list[int]:
        """The numbers of the tickets that a search finds, in its order."""
        return [ticket.number for ticket in (await self.tickets.list(self.actor, TicketFilter(q=q))).items]


@asynccontextmanager
async def office(store: Store, *, parser: Parser | None = None, meter: Meter = UNMETERED) -> AsyncIterator[Office]:
    """An office over an open store."""
    found = Office(store, parser, meter)
    await found.build()
    try:
        yield found
    finally:
        await found.core.close()
