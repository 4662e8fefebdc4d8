"""One integration with queued deliveries, and the outboxes of two processes that compete for them."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from router import ids
from router.channels.contract import Pace, SendOutcome
from router.clock import SECOND
from router.dispatch.delivery_batch import CompletedBatch, DeliveryBatch, OutboxLimits, TypeLimits
from router.dispatch.outbox import Outbox
from tests.support.installation import Installation
from tests.support.stores import Store

DIGEST = 50
LIMITS = OutboxLimits(
    per_second=1,
    burst=5,
    digest_after=20,
    lease=60 * SECOND,
    max_age=72 * 3600 * SECOND,
    max_claims=3,
    max_lease_wait=2 * SECOND,
    own_limits={"slack": TypeLimits(Pace(1, 5), DIGEST)},
)


class Outboxes:
    """An integration with queued deliveries, and two outboxes that stand for two processes."""

    def __init__(self, installation: Installation, limits: OutboxLimits = LIMITS) -> None:
        self.installation = installation
        self.clock = installation.clock
        self._limits = limits
        self.first = self.new_outbox("one")
        self.second = self.new_outbox("two")
        self.delivery_ids: list[str] = []

    async def seed(self, deliveries: int = 1) -> None:
        await self.installation.seed(aliases=())
        self.delivery_ids = [await self.queue_delivery(n) for n in range(1, deliveries + 1)]

    def new_outbox(self, owner: str, limits: OutboxLimits | None = None) -> Outbox:
        installation = self.installation
        return Outbox(installation.database, installation.core.writers, self.clock, owner, limits or self._limits)

    @property
    def integration_id(self) -> str:
        return self.installation.integration_id

    async def queue_delivery(self, number: int) -> str:
        now = self.clock.now()
        ticket, delivery = ids.new_id("ticket"), ids.new_id("dlv")
        await self.installation.execute(
            "INSERT INTO tickets (id, workspace_id, number, address, subject, from_address, from_name, received_at, "
            "updated_at) VALUES (:id, :workspace, :number, 'a@b.test', 's', 'f@c.test', '', :now, :now)",
            id=ticket,
            workspace=self.installation.workspace_id,
            number=number,
            now=now,
        )
        await self.installation.execute(
            "INSERT INTO deliveries (id, workspace_id, ticket_id, message_id, integration_id, event, next_attempt_at, "
            "expires_at, created_at) "
            "VALUES (:id, :workspace, :ticket, 'msg_x', :integration, 'opened', :now, :expires, :now)",
            id=delivery,
            workspace=self.installation.workspace_id,
            ticket=ticket,
            integration=self.integration_id,
            now=now,
            expires=now + 3 * 24 * 3600 * SECOND,
        )
        return delivery

    async def claim_and_record(
        self, finished: CompletedBatch | None = None, *, by: Outbox | None = None, stop: bool = False
    ) -> object:
        return await (by or self.first).claim_and_record(self.integration_id, finished, stop=stop)

    async def claim_batch(self, *, by: Outbox | None = None) -> DeliveryBatch:
        found = await self.claim_and_record(by=by)
        assert isinstance(found, DeliveryBatch), found
        return found

    async def record_batch(self, work: DeliveryBatch, outcome: SendOutcome, *, stop: bool = False) -> object:
        return await self.claim_and_record(CompletedBatch(work, outcome, 0.0), stop=stop)

    async def delivery_row(self, n: int = 0) -> dict[str, object]:
        (row,) = await self.installation.execute("SELECT * FROM deliveries WHERE id = :id", id=self.delivery_ids[n])
        return row

    async def integration_row(self) -> dict[str, object]:
        (row,) = await self.installation.execute("SELECT * FROM integrations")
        return row

    async def attempt_rows(self, n: int = 0) -> list[dict[str, object]]:
        return await self.installation.execute(
            "SELECT * FROM attempts WHERE delivery_id = :id ORDER BY n", id=self.delivery_ids[n]
        )


OpenOutboxes = Callable[..., Awaitable[Outboxes]]


@pytest.fixture
async def open_outboxes(store: Store) -> AsyncIterator[OpenOutboxes]:
    """Yields a function that takes the number of deliveries, and optionally the limits."""
    opened: list[Outboxes] = []

    async def open_one(deliveries: int = 1, limits: OutboxLimits = LIMITS) -> Outboxes:
        opened.append(Outboxes(Installation(store), limits))
        await opened[-1].seed(deliveries)
        return opened[-1]

    yield open_one
    for each in opened:
        await each.installation.close()
