"""The way of an alias's newest mail, from the door to the integration, as pages follow it."""

from __future__ import annotations

from dataclasses import dataclass

from api.dashboard.change_feed import newest_id
from api.dashboard.page import Visit
from router.admin.tickets.tickets import TicketFilter
from router.model import Alias, Delivery, Ticket


@dataclass(frozen=True, slots=True)
class LatestMessage:
    """Where the newest mail that opened a ticket is. seen: what the page shows (`newest_id`).

    ticket None: no mail has come. delivery None: the ticket goes to no integration.
    """

    newest_id: str
    ticket: Ticket | None = None
    delivery: Delivery | None = None

    @property
    def is_pending(self) -> bool:
        """Whether there is more to come without anybody's doing."""
        return self.delivery is not None and self.delivery.state == "pending"

    @property
    def is_failed(self) -> bool:
        """Whether its delivery was given up."""
        return self.delivery is not None and self.delivery.state == "dead"

    @property
    def is_delivered(self) -> bool:
        """Whether it is where people see it."""
        return self.delivery is not None and self.delivery.state == "delivered"


async def find_latest_message(visit: Visit, alias: Alias) -> LatestMessage:
    """Three questions, each answered by an index."""
    seen = newest_id(await visit.services.tickets.list_newest_ids(visit.actor))
    tickets = (await visit.services.tickets.list(visit.actor, TicketFilter(alias_id=alias.id), limit=1)).items
    if not tickets:
        return LatestMessage(seen)
    ticket = tickets[0]
    deliveries = (await visit.services.deliveries.list(visit.actor, ticket_id=ticket.id, limit=1)).items
    return LatestMessage(seen, ticket, deliveries[0] if deliveries else None)
