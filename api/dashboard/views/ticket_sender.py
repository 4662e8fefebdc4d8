"""`/tickets/{id}/block-sender`: blocks the sender of a ticket, after a confirmation."""

from __future__ import annotations

from api.dashboard import manage
from api.dashboard.page import HtmlPage, PageRoute, Redirect, Visit
from api.dashboard.views.ticket import find_ticket, list_query, ticket_path


async def confirm_block(visit: Visit) -> HtmlPage:
    ticket = await find_ticket(visit)
    return manage.confirmation_page(
        f"Block {ticket.from_address}?",
        [
            "New mail from this address is rejected. The sender's mail server reports this to the sender.",
            "Existing tickets stay. Settings, Blocked senders lists the address and can unblock it.",
        ],
        action=f"/tickets/{ticket.id}/block-sender{list_query(visit)}",
        label="Block sender",
        cancel_path=ticket_path(visit),
    )


async def block(visit: Visit) -> Redirect:
    ticket = await find_ticket(visit)
    await visit.services.blocked_senders.create(visit.actor, ticket.from_address)
    return Redirect(ticket_path(visit), flash="sender-blocked")


PAGES = (
    PageRoute("GET", "/tickets/{id}/block-sender", confirm_block, "admin", compress=True),
    PageRoute("POST", "/tickets/{id}/block-sender", block, "admin", form_view=confirm_block),
)
