"""`/tickets/{id}/delete`: erases a ticket, after a page that says what goes."""

from __future__ import annotations

from api.dashboard import inbox, manage
from api.dashboard.formatting import format_size, pluralize
from api.dashboard.page import HtmlPage, PageRoute, Redirect, Visit
from api.dashboard.views.ticket import find_ticket, list_query, ticket_path


async def confirm_erasure(visit: Visit) -> HtmlPage:
    ticket = await find_ticket(visit)
    preview = await visit.services.tickets.preview_erasure(visit.actor, ticket.id)
    erased = [
        f"{pluralize(preview.messages, 'message')} with all attachments ({format_size(preview.size)})",
        pluralize(preview.notes, "internal note"),
        pluralize(preview.deliveries, "delivery", "deliveries"),
    ]
    consequences = [f"These are erased and cannot be recovered: {', '.join(erased)}, and the history of the ticket."]
    if preview.kept_messages:
        what = (
            "belongs to another ticket and stays" if preview.kept_messages == 1 else "belong to other tickets and stay"
        )
        consequences.append(f"{pluralize(preview.kept_messages, 'message')} also {what} there.")
    consequences.append("Posts in your channels are not removed.")
    return manage.confirmation_page(
        f"Erase #{ticket.number} {ticket.subject or '(no subject)'}?",
        consequences,
        action=f"/tickets/{ticket.id}/delete{list_query(visit)}",
        label="Erase ticket",
        cancel_path=ticket_path(visit),
    )


async def erase(visit: Visit) -> Redirect:
    ticket = await find_ticket(visit)
    request = inbox.request_of_ticket(visit, ticket)
    await visit.services.tickets.delete(visit.actor, ticket.id)
    return Redirect(request.list_path(), flash="erased", number=ticket.number)


FLASH_MESSAGES = {"erased": "Erased #{n}."}
PAGES = (
    PageRoute("GET", "/tickets/{id}/delete", confirm_erasure, "admin", compress=True),
    PageRoute("POST", "/tickets/{id}/delete", erase, "admin"),
)
