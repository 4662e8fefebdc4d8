"""Several integration workers of one process, which claim and record in the same group."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from router.channels.contract import SendOutcome, SendSuccess
from router.dispatch.delivery_batch import CompletedBatch, DeliveryBatch
from router.dispatch.outbox import Outbox
from router.store.sqlite import SqliteDatabase
from tests.support.installation import Installation
from tests.support.outboxes import LIMITS

WORKERS = 6
SENT = SendSuccess(200)


class Workers:
    """Integrations with one due delivery each, and the outbox of one process."""

    def __init__(self, installation: Installation, *, owner: str = "this process") -> None:
        self.installation = installation
        self.outbox = Outbox(installation.database, installation.core.writers, installation.clock, owner, LIMITS)
        self.integration_ids: list[str] = []

    async def seed(self, count: int = WORKERS) -> None:
        await self.installation.seed(aliases=())
        for n in range(count):
            integration_id = await self.installation.add_integration(f"team{n}")
            await self.installation.add_alias(f"alias{n}", integration_id)
            self.integration_ids.append(integration_id)
        await self.installation.accept_message(None, *(f"alias{n}" for n in range(count)))

    async def claim(self, integration_id: str) -> DeliveryBatch:
        batch = await self.outbox.claim_and_record(integration_id, None)
        assert isinstance(batch, DeliveryBatch)
        return batch

    async def claim_all(self) -> list[DeliveryBatch]:
        return await asyncio.gather(*(self.claim(each) for each in self.integration_ids))

    async def record_all(self, batches: Sequence[DeliveryBatch], outcome: SendOutcome = SENT) -> list[object]:
        completed = (CompletedBatch(batch, outcome, 0.0) for batch in batches)
        return await self.together(*(self.outbox.claim_and_record(e.batch.integration.id, e) for e in completed))

    async def together(self, *calls: Coroutine[Any, Any, object]) -> list[object]:
        """Awaits the calls, which are queued before a transaction can start, and returns results or exceptions."""
        database = self.installation.database
        tasks = [asyncio.create_task(call) for call in calls]
        if isinstance(database, SqliteDatabase):
            async with database.raw_transaction():
                await asyncio.sleep(0)  # the tasks queue their items
        results: list[object] = await asyncio.gather(*tasks, return_exceptions=True)
        return results

    async def outcomes(self) -> list[object]:
        """Returns the outcomes of all attempts."""
        return [row["outcome"] for row in await self.installation.execute("SELECT outcome FROM attempts")]

    async def states(self) -> list[object]:
        return [row["state"] for row in await self.installation.execute("SELECT state FROM deliveries")]
