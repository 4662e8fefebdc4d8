"""The blocked senders of a workspace, whose mail is rejected or held as spam."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from router.admin.routes.listed_senders import AddedSenders, SenderListService, validate_note
from router.enumerations import BLOCK_ACTION
from router.model import Actor, BlockedSender, Micros
from router.store.database import QueryExecutor


class BlockedSenderService(SenderListService[BlockedSender]):
    """Manages the blocked senders. `action` is a `BlockAction`; other texts are rejected."""

    _model = BlockedSender
    _name = "blocked"
    _actions = ("blocked_sender.create", "blocked_sender.change", "blocked_sender.delete")

    async def create(self, actor: Actor, sender: str, *, action: str = "refuse", note: str = "") -> BlockedSender:
        return await self._add_one(actor, sender, _builder(actor, action, note))

    async def create_many(
        self, actor: Actor, senders: Sequence[str], *, action: str = "refuse", note: str = ""
    ) -> AddedSenders[BlockedSender]:
        return await self._add_many(actor, senders, _builder(actor, action, note))

    async def block_within(
        self, transaction: QueryExecutor, actor: Actor, senders: Sequence[str], now: Micros
    ) -> Collection[str]:
        """Refuses mail of senders, in the transaction of the caller. A sender that is already blocked stays so.

        Args:
            senders: Normalised entries.

        Returns:
            The entries that were not in the list before.

        Raises:
            Refused: `conflict` if the limit is reached.
        """
        entries = [BlockedSender(actor.workspace_id, sender, now) for sender in senders]
        return [entry.sender for entry in (await self._insert_within(transaction, actor, entries)).added]

    async def change(self, actor: Actor, sender: str, *, action: str, note: str) -> BlockedSender:
        block_action, text = BLOCK_ACTION.parse(action), validate_note(note)
        return await self._change(actor, sender, lambda found: replace(found, action=block_action, note=text))

    def _details(self, listed: BlockedSender) -> dict[str, object]:
        return {"asSpam": listed.action == "spam"}


def _builder(actor: Actor, action: str, note: str) -> Callable[[str, Micros], BlockedSender]:
    block_action, text = BLOCK_ACTION.parse(action), validate_note(note)
    return lambda sender, now: BlockedSender(actor.workspace_id, sender, now, block_action, text)
