"""The list `blocked_senders`."""

from __future__ import annotations

from router.admin.routes.listed_senders import SenderListService
from router.enumerations import BlockAction
from router.model import Actor, BlockedSender
from router.provisioning.sender_section import SenderDefinition, SenderSection
from router.services import Services


class BlockedSenderDefinition(SenderDefinition):
    """A blocked sender."""

    action: BlockAction = "refuse"


class BlockedSenderSection(SenderSection[BlockedSender, BlockedSenderDefinition]):
    key = "blocked_senders"
    kind = "blocked_sender"
    entry_type = BlockedSenderDefinition

    def _service(self, services: Services) -> SenderListService[BlockedSender]:
        return services.blocked_senders

    def _define(self, listed: BlockedSender) -> BlockedSenderDefinition:
        return BlockedSenderDefinition(sender=listed.sender, note=listed.note, action=listed.action)

    async def _add(self, entry: BlockedSenderDefinition, services: Services, actor: Actor) -> None:
        await services.blocked_senders.create(actor, entry.sender, action=entry.action, note=entry.note)

    async def _change(self, entry: BlockedSenderDefinition, services: Services, actor: Actor) -> None:
        await services.blocked_senders.change(actor, entry.sender, action=entry.action, note=entry.note)


SECTION = BlockedSenderSection()
