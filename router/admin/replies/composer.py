"""Reads what the composer of a ticket starts with."""

from __future__ import annotations

from dataclasses import replace

from router import reply_tokens
from router.admin.replies.newer_messages import find_last_message
from router.admin.replies.reply_request import ComposerDefaults
from router.clock import Clock
from router.errors import Refused
from router.model import Ticket
from router.replies.answered_message import read_received
from router.replies.build import ReplyBuilder
from router.replies.recipients import RecipientChooser
from router.replies.sending import SendingReader
from router.replies.undeliverable import find_undeliverable
from router.secrets import SecretBox
from router.store.database import Database


class ComposerReader:
    """Reads the defaults of a reply. It refuses nothing: what is missing is part of the result."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        box: SecretBox,
        *,
        builder: ReplyBuilder,
        chooser: RecipientChooser,
        sending: SendingReader,
    ) -> None:
        self._database = database
        self._clock = clock
        self._box = box
        self._builder = builder
        self._chooser = chooser
        self._sending = sending

    async def read(self, ticket: Ticket, agent: str) -> ComposerDefaults:
        """`agent` is the name of the author."""
        received = await read_received(self._database, ticket.id)
        chosen = await self._chooser.choose(received)
        people = [*chosen.to, *chosen.reply_all_cc, *chosen.new_senders]
        bounced = await find_undeliverable(
            self._database, ticket.workspace_id, [mailbox.address for mailbox in people], self._clock.now()
        )
        defaults = ComposerDefaults(
            to=chosen.to,
            reply_all_cc=chosen.reply_all_cc,
            new_senders=chosen.new_senders,
            warning=chosen.warning,
            last_message_id=await find_last_message(self._database, ticket.id, received),
            undeliverable=tuple(bounced),
        )
        try:
            frame = await self._builder.read_frame(ticket, received, [each.address for each in chosen.to], agent)
        except Refused as refused:
            return replace(defaults, from_address=ticket.address, fix=refused.details.get("fix", refused.message))
        fix = await self._describe_missing(frame.sender.domain_id)
        token = reply_tokens.ticket_token(self._box, ticket.workspace_id, ticket.number)
        return replace(
            defaults,
            from_address=frame.sender.address,
            from_name=frame.from_name,
            subject=frame.subject,
            signature=frame.signature,
            mailto_cc=frame.sender.tagged(reply_tokens.ticket_tag(token)),
            is_set_up=not fix,
            fix=fix,
        )

    async def _describe_missing(self, domain_id: str) -> str:
        try:
            await self._sending.require(domain_id)
        except Refused as refused:
            return refused.details.get("fix", refused.message)
        return ""
