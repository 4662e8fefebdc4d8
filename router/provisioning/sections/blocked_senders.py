"""The list `blocked_senders`: addresses, domains and networks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from router.model import Actor
from router.provisioning.entry import InvalidDocument, index_unique
from router.provisioning.section import SectionChange
from router.routing.senders import normalize_entry
from router.services import Services


class BlockedSenderSection:
    key = "blocked_senders"
    kind = "blocked_sender"
    entry_type = str

    async def read(self, services: Services, actor: Actor) -> Sequence[str]:
        return sorted(await services.blocked_senders.list_all(actor.workspace_id))

    def export(self, objects: Sequence[str]) -> list[str]:
        return list(objects)

    def plan(self, entries: Sequence[str], objects: Sequence[str]) -> Iterator[SectionChange]:
        existing = set(objects)
        keyed = ((text if text in existing else _normalize(text), text) for text in entries)
        senders = index_unique(self.key, "", keyed)
        for sender in senders:
            if sender not in existing:
                yield SectionChange("add", sender, partial(_block, sender))
        for sender in objects:
            if sender not in senders:
                yield SectionChange("remove", sender, partial(_unblock, sender))


async def _block(sender: str, services: Services, actor: Actor) -> None:
    await services.blocked_senders.create(actor, sender)


async def _unblock(sender: str, services: Services, actor: Actor) -> None:
    await services.blocked_senders.delete(actor, sender)


def _normalize(text: str) -> str:
    try:
        return normalize_entry(text)
    except ValueError as error:
        raise InvalidDocument(f"blocked_senders: {text!r} {error}") from None


SECTION = BlockedSenderSection()
