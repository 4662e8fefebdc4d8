"""The newest ticket of an alias, and the state of the newest delivery of a message of this ticket."""

from __future__ import annotations

from dataclasses import dataclass

from api.dashboard.change_feed import newest_id
from api.dashboard.page import Visit
from router.filters import DeliveryFilter, TicketFilter
from router.model import Alias, Delivery, Ticket


@dataclass(frozen=True, slots=True)
class LatestMessage:
    """The newest ticket of an alias and its newest delivery, each None if there is none.

    `newest_id` identifies the newest change in the workspace before the ticket was read (`change_feed.newest_id`).
    """

    newest_id: str
    ticket: Ticket | None = None
    delivery: Delivery | None = None

    @property
    def is_pending(self) -> bool:
        """Whether the delivery will change its state without user action."""
        return self.delivery is not None and self.delivery.state == "pending"

    @property
    def is_failed(self) -> bool:
        return self.delivery is not None and self.delivery.state == "dead"

    @property
    def is_delivered(self) -> bool:
        return self.delivery is not None and self.delivery.state == "delivered"


async def find_latest_message(visit: Visit, alias: Alias) -> LatestMessage:
    newest = newest_id(await visit.services.tickets.list_newest_ids(visit.actor))
    of_alias = TicketFilter(alias_id=alias.id, spam="all")
    tickets = (await visit.services.tickets.list(visit.actor, of_alias, limit=1)).items
    if not tickets:
        return LatestMessage(newest)
    ticket = tickets[0]
    of_ticket = DeliveryFilter(ticket_id=ticket.id, target="integration", without_updates=True)
    deliveries = (await visit.services.deliveries.list(visit.actor, of_ticket, limit=1)).items
    return LatestMessage(newest, ticket, deliveries[0] if deliveries else None)
