"""What the workspace knows about a sender: their tickets. Addresses are compared without regard to case."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from router.admin import validation
from router.admin.tickets.tags import TagService
from router.enumerations import TICKET_STATUS, TicketStatus
from router.errors import Refused
from router.mail.mailboxes import MAX_ADDRESS_LENGTH, normalize_address
from router.model import Actor, Micros, Ticket
from router.store.database import Database, fetch_models

MAX_COUNTED = 1000  # the newest tickets of a sender, which are counted
MAX_RECENT = 20
MAX_MESSAGES = 50  # the newest messages of a recent ticket, which are searched for the newest one of the sender


@dataclass(frozen=True, slots=True)
class SenderView:
    """A sender. An address without tickets has counts of 0, no times and no tickets.

    Attributes:
        counts: The number of the newest `MAX_COUNTED` tickets with each status.
        first_seen_at: When the first ticket arrived.
        last_seen_at: When the newest message arrived in the recent tickets.
        recent: The newest tickets, newest first.
    """

    address: str
    counts: Mapping[TicketStatus, int]
    first_seen_at: Micros | None
    last_seen_at: Micros | None
    recent: tuple[Ticket, ...]


class SenderService:
    """Reads the senders of the actor's workspace."""

    def __init__(self, database: Database, tags: TagService) -> None:
        self._database = database
        self._tags = tags

    async def get(self, actor: Actor, address: str) -> SenderView:
        """Raises `Refused` if the text is no address."""
        line = validation.validate_line(address, "address", max_length=MAX_ADDRESS_LENGTH)
        local, _, domain = line.rpartition("@")
        if not local or not domain or any(map(str.isspace, domain)):
            raise Refused("invalid_request", "address must be an email address such as ada@example.com", "address")
        key = {"workspace_id": actor.workspace_id, "address": line}
        rows = await self._database.fetch_all("sender_counts", **key, limit=MAX_COUNTED)
        counts = dict.fromkeys(TICKET_STATUS.values, 0) | {row["status"]: row["tickets"] for row in rows}
        first = await self._database.fetch_one("sender_first_ticket", **key)
        tickets = await fetch_models(self._database, Ticket, "sender_tickets", **key, limit=MAX_RECENT)
        last_messages = await self._database.fetch_all(
            "sender_last_messages", address=line, ids=json.dumps([ticket.id for ticket in tickets]), limit=MAX_MESSAGES
        )
        times = [ticket.received_at for ticket in tickets]
        times += [row["received_at"] for row in last_messages if row["received_at"] is not None]
        return SenderView(
            normalize_address(line),
            counts,
            None if first is None else first["received_at"],
            max(times, default=None),
            await self._tags.attach(tickets),
        )
