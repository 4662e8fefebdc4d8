"""An installation with one Discord integration, whose outbox and sender a test drives step by step."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from emailrouter.assembly import deliver
from router.channels.contract import SendOutcome, SendSuccess
from router.clock import SECOND
from router.dispatch.delivery_batch import CompletedBatch, DeliveryBatch, PacingDelay
from router.dispatch.outbox import Outbox
from router.dispatch.outbox_transaction import Claim
from router.errors import RowLocked
from tests.support import mails
from tests.support.discord import DiscordMessage, DiscordStandIn
from tests.support.installation import Installation
from tests.support.stores import Store
from tests.support.webhook_stand_in import WebhookStandIn

FIRST, REPLY = "<first@customer.test>", "<reply@customer.test>"
OPEN = {"Status": "Open", "Assignee": "Unassigned"}


@dataclass
class ManualDelivery:
    """The parts of a deliver process. Time advances between batches, so that the pace never delays a test.

    Attributes:
        integration_id: The integration to deliver to, by default that of the installation.
    """

    installation: Installation
    service: WebhookStandIn
    integration_id: str = ""
    outbox: Outbox = field(init=False)

    def __post_init__(self) -> None:
        self.integration_id = self.integration_id or self.installation.integration_id
        self.outbox = deliver.build_outbox(self.installation.core)
        self._sender = deliver.build_sender(self.installation.core)

    @property
    def discord(self) -> DiscordStandIn:
        assert isinstance(self.service, DiscordStandIn)
        return self.service

    async def claim(self, completed: CompletedBatch | None = None) -> DeliveryBatch | None:
        self.installation.clock.advance(10)
        claimed = await self._claim_and_record(completed)
        while isinstance(claimed, PacingDelay) and claimed.until <= self.installation.clock.now():
            claimed = await self._claim_and_record(None)
        assert claimed is None or isinstance(claimed, DeliveryBatch), claimed
        return claimed

    async def claim_batch(self) -> DeliveryBatch:
        batch = await self.claim()
        assert batch is not None
        return batch

    async def send(self, batch: DeliveryBatch) -> SendOutcome:
        return await self._sender.send(batch)

    async def send_late(self, batch: DeliveryBatch) -> SendOutcome:
        """Sends like a process that was stopped directly before its request until its lease had ended."""
        lease_until = self.installation.clock.now() + 60 * SECOND
        return await self.send(replace(batch, integration=replace(batch.integration, lease_until=lease_until)))

    async def record(self, batch: DeliveryBatch, outcome: SendOutcome) -> None:
        """Records an outcome and releases the lease."""
        await self._claim_and_record(CompletedBatch(batch, outcome, 0.0), stop=True)

    async def _claim_and_record(self, completed: CompletedBatch | None, *, stop: bool = False) -> Claim:
        """Repeats the request like the dispatcher, but without a pause, while another transaction locks its rows."""
        while True:
            try:
                return await self.outbox.claim_and_record(self.integration_id, completed, stop=stop)
            except RowLocked:
                continue

    async def advance_to_retry(self) -> None:
        """Advances the clock to the next attempt of the only pending update."""
        (update,) = await self.updates()
        assert isinstance(update["next_attempt_at"], int)
        waiting = update["next_attempt_at"] - self.installation.clock.now()
        self.installation.clock.advance(max(0, waiting) / 1_000_000)

    async def deliver(self) -> list[SendOutcome]:
        """Sends what is due, and returns the outcomes."""
        outcomes = []
        batch = await self.claim()
        while batch is not None:
            outcomes.append(await self.send(batch))
            batch = await self.claim(CompletedBatch(batch, outcomes[-1], 0.0))
        return outcomes

    def requests(self, method: str) -> int:
        return sum(post.method == method for post in self.service.posts)

    async def rows(self, table: str) -> list[dict[str, object]]:
        return await self.installation.execute(f"SELECT * FROM {table}")

    async def updates(self, state: str = "pending") -> list[dict[str, object]]:
        return await self.installation.execute(
            "SELECT * FROM deliveries WHERE event = 'updated' AND state = :state", state=state
        )


def shown_state(message: DiscordMessage) -> dict[str, str]:
    """Returns the fields of a message that show the state of a ticket."""
    fields = message.body["embeds"][0].get("fields", []) if message.body["embeds"] else []
    return {each["name"]: each["value"] for each in fields if each.get("inline")}


@asynccontextmanager
async def open_posting(
    store: Store, service: WebhookStandIn | None = None, *, settings: Mapping[str, object] | None = None
) -> AsyncIterator[ManualDelivery]:
    """Opens an installation that posts to a stand-in for a service, by default Discord."""
    own = {"delivery.allow_private_networks": True, "delivery.per_second": 1000.0, **(settings or {})}
    installation = Installation(store, own)
    async with service or DiscordStandIn() as running:
        await installation.seed(aliases=["support"], webhook=running.url())
        kind = "discord" if isinstance(running, DiscordStandIn) else "slack"
        await installation.execute("UPDATE integrations SET type = :kind", kind=kind)
        try:
            yield ManualDelivery(installation, running)
        finally:
            await installation.close()


async def open_ticket(posting: ManualDelivery) -> str:
    """Accepts a message and delivers it; returns the id of the ticket."""
    ticket_id = await posting.installation.accept_ticket(mails.plain(message_id=FIRST))
    assert all(isinstance(outcome, SendSuccess) for outcome in await posting.deliver())
    return ticket_id


async def set_status(posting: ManualDelivery, ticket_id: str, *statuses: str) -> None:
    installation = posting.installation
    for status in statuses:
        installation.clock.advance(1)
        await installation.tickets.set_status(installation.actor, ticket_id, status)


def only_state(posting: ManualDelivery) -> dict[str, str]:
    (message,) = posting.discord.messages.values()
    return shown_state(message)
