"""Decides whom a reply goes to, and refuses addresses that would answer themselves or cannot be reached."""

from __future__ import annotations

from collections.abc import Sequence

from router.admin.replies.reply_request import ReplyRequest, check_count
from router.clock import Clock
from router.errors import Refused
from router.model import Ticket
from router.replies.answered_message import TicketMail
from router.replies.build import ReplyAddress
from router.replies.recipients import DefaultRecipients, RecipientChooser, drop_duplicates, parse_recipients
from router.replies.undeliverable import find_undeliverable
from router.store.database import Database


class RecipientChecks:
    """Chooses and checks recipients."""

    def __init__(self, database: Database, clock: Clock, chooser: RecipientChooser) -> None:
        self._database = database
        self._clock = clock
        self._chooser = chooser

    async def choose(self, ticket: Ticket, received: Sequence[TicketMail], request: ReplyRequest) -> list[ReplyAddress]:
        """Returns the recipients of a reply: those of the request, or else the default ones.

        Raises:
            Refused: `no_recipient` or `invalid_recipient`.
        """
        defaults = DefaultRecipients()
        if request.to is None or request.reply_all:
            defaults = await self._chooser.choose(received)
        to = [ReplyAddress(each.address, each.name) for each in defaults.to]
        if request.to is not None:
            to = parse_recipients(request.to, "to")
        cc = parse_recipients(request.cc or (), "cc")
        if request.reply_all and request.cc is None:
            cc = [ReplyAddress(each.address, each.name, "cc") for each in defaults.reply_all_cc]
        recipients = drop_duplicates([*to, *cc, *parse_recipients(request.bcc, "bcc")])
        if not any(each.field == "to" for each in recipients):
            reason = f"Ticket #{ticket.number} has no address that can be answered"
            raise Refused("no_recipient", reason if request.to is None else "to must name an address", "to")
        check_count(len(recipients))
        await self.check(ticket.workspace_id, recipients, force=request.force)
        return recipients

    async def check(self, workspace_id: str, recipients: Sequence[ReplyAddress], *, force: bool) -> None:
        """Raises `invalid_recipient` for addresses of this installation, and for undeliverable ones unless `force`."""
        fields = {each.address: each.field for each in recipients}
        own = await self._chooser.find_own(fields)
        if own:
            raise Refused(
                "invalid_recipient",
                f"{own[0]} is received by this installation: a reply to it would come back",
                fields[own[0]],
            )
        if force:
            return
        bounced = await find_undeliverable(self._database, workspace_id, fields, self._clock.now())
        if bounced:
            address = next(address for address in fields if address in bounced)
            raise Refused(
                "invalid_recipient",
                f"Mail to {address} bounced permanently several times. Send force: true to send it anyway",
                fields[address],
            )
