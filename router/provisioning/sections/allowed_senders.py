"""The list `allowed_senders`."""

from __future__ import annotations

from typing import Self

from router.admin.routes.listed_senders import SenderListService
from router.model import Actor, AllowedSender
from router.provisioning.sender_section import SenderDefinition, SenderSection
from router.routing.senders import is_network
from router.services import Services


class AllowedSenderDefinition(SenderDefinition):
    """An allowed sender. Without `require_auth`, authentication is required, except for a network."""

    require_auth: bool | None = None

    def normalized(self, sender: str) -> Self:
        entry = super().normalized(sender)
        is_default = entry.require_auth is not is_network(sender)
        return entry.model_copy(update={"require_auth": None}) if is_default else entry


class AllowedSenderSection(SenderSection[AllowedSender, AllowedSenderDefinition]):
    key = "allowed_senders"
    kind = "allowed_sender"
    entry_type = AllowedSenderDefinition

    def _service(self, services: Services) -> SenderListService[AllowedSender]:
        return services.allowed_senders

    def _define(self, listed: AllowedSender) -> AllowedSenderDefinition:
        entry = AllowedSenderDefinition(sender=listed.sender, note=listed.note, require_auth=bool(listed.require_auth))
        return entry.normalized(listed.sender)

    async def _add(self, entry: AllowedSenderDefinition, services: Services, actor: Actor) -> None:
        await services.allowed_senders.create(actor, entry.sender, require_auth=entry.require_auth, note=entry.note)

    async def _change(self, entry: AllowedSenderDefinition, services: Services, actor: Actor) -> None:
        await services.allowed_senders.change(actor, entry.sender, require_auth=entry.require_auth, note=entry.note)


SECTION = AllowedSenderSection()
