"""The allowed senders of a workspace, whose mail is neither rejected nor spam."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from router.admin.routes.listed_senders import AddedSenders, SenderListService, validate_note
from router.errors import Refused
from router.model import Actor, AllowedSender, Micros
from router.routing.senders import is_network


class AllowedSenderService(SenderListService[AllowedSender]):
    """Manages the allowed senders. `require_auth` is by default true for names, and always false for networks."""

    _model = AllowedSender
    _name = "allowed"
    _actions = ("allowed_sender.create", "allowed_sender.change", "allowed_sender.delete")

    async def create(
        self, actor: Actor, sender: str, *, require_auth: bool | None = None, note: str = ""
    ) -> AllowedSender:
        return await self._add_one(actor, sender, _builder(actor, require_auth, note))

    async def create_many(
        self, actor: Actor, senders: Sequence[str], *, require_auth: bool | None = None, note: str = ""
    ) -> AddedSenders[AllowedSender]:
        return await self._add_many(actor, senders, _builder(actor, require_auth, note))

    async def change(self, actor: Actor, sender: str, *, require_auth: bool | None, note: str) -> AllowedSender:
        text = validate_note(note)
        return await self._change(
            actor,
            sender,
            lambda found: replace(found, require_auth=_requirement(found.sender, require_auth), note=text),
        )

    def _details(self, listed: AllowedSender) -> dict[str, object]:
        return {"requireAuth": bool(listed.require_auth)}


def _builder(actor: Actor, require_auth: bool | None, note: str) -> Callable[[str, Micros], AllowedSender]:
    text = validate_note(note)
    return lambda sender, now: AllowedSender(actor.workspace_id, sender, now, _requirement(sender, require_auth), text)


def _requirement(sender: str, require_auth: bool | None) -> int:
    if is_network(sender):
        if require_auth:
            raise Refused(
                "invalid_request",
                f"requireAuth must be false for the network {sender}: an IP address needs no authentication",
                "requireAuth",
            )
        return 0
    return int(require_auth is None or require_auth)
