"""`/tickets/{id}/delete` and `/tickets/delete`: erase one or the selected tickets, after a page that says what goes."""

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


async def confirm_selected(visit: Visit) -> HtmlPage | Redirect:
    """Asks before the tickets are erased that are selected in a list."""
    path = inbox.request_of_form(visit).list_path()
    selected = inbox.selected_tickets(visit.query)
    if not selected:
        return Redirect(path, flash="none-selected")
    return manage.confirmation_page(
        f"Erase {pluralize(len(selected), 'ticket')}?",
        [
            "Their messages with all attachments, their notes and their history are erased and cannot be recovered.",
            "Messages that also belong to another ticket stay there. Posts in your channels are not removed.",
        ],
        action=f"/tickets/delete{inbox.request_of_form(visit).ticket_query()}",
        label="Erase tickets",
        cancel_path=path,
        **{f"{inbox.PICK_PREFIX}{ticket_id}": "1" for ticket_id in selected},
    )


async def erase_selected(visit: Visit) -> Redirect:
    erased = await visit.services.tickets.delete_many(visit.actor, inbox.selected_tickets(visit.form))
    path = inbox.request_of_form(visit).list_path()
    return Redirect(path, flash="erased-one" if erased == 1 else "erased-many", number=erased)


FLASH_MESSAGES = {"erased": "Erased #{n}.", "erased-one": "1 ticket erased.", "erased-many": "{n} tickets erased."}
PAGES = (
    PageRoute("GET", "/tickets/delete", confirm_selected, "admin", compress=True),
    PageRoute("POST", "/tickets/delete", erase_selected, "admin"),
    PageRoute("GET", "/tickets/{id}/delete", confirm_erasure, "admin", compress=True),
    PageRoute("POST", "/tickets/{id}/delete", erase, "admin"),
)
