"""Changes of a ticket: its assignee, status and priority, which can be undone, and whether it was read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from api.dashboard import inbox, redirects
from api.dashboard.flash import UNDO, parse_events
from api.dashboard.page import PageRoute, Redirect, Visit
from api.dashboard.ticket_pane import find_adjacent
from api.dashboard.views.ticket import find_ticket, list_query, show_ticket, ticket_path
from router.admin.tickets.change_writer import ChangedTicket, TicketChange
from router.admin.tickets.changes import AssignChange, ChoiceChange, ClaimChange, UnassignChange
from router.choice import Choice
from router.enumerations import TICKET_CHOICES, TICKET_STATUS


async def claim(visit: Visit) -> Redirect:
    take_over = visit.form.get("takeOver") == "yes"
    return await _change(visit, ClaimChange(take_over), "claimed")


async def unclaim(visit: Visit) -> Redirect:
    return await _change(visit, UnassignChange(), "unclaimed")


async def assign(visit: Visit) -> Redirect:
    user_id = visit.form.get("userId", "")
    if not user_id:
        return await unclaim(visit)
    return await _change(visit, AssignChange(user_id), "assigned")


async def set_status(visit: Visit) -> Redirect:
    """Sets the status. A ticket that was resolved makes room for the next ticket of the list, or for the list."""
    change = ChoiceChange.parse(TICKET_STATUS, visit.form.get("status", ""))
    if change.value != "resolved":
        return await _change(visit, change, "status-set")
    changed = await visit.services.tickets.change(visit.actor, visit.path_params["id"], change)
    request = inbox.request_of_ticket(visit, replace(changed.ticket, status="open"))
    _, following = await find_adjacent(visit, changed.ticket, request)
    path = request.list_path() if following is None else f"/tickets/{following.id}{request.ticket_query()}"
    return _redirect(visit, changed, path, "resolved")


def _choice_route(choice: Choice[Any]) -> PageRoute:
    """Returns the route of the form that sets a field of a ticket."""

    async def set_choice(visit: Visit) -> Redirect:
        change = ChoiceChange.parse(choice, visit.form.get(choice.name, ""))
        return await _change(visit, change, f"{choice.name}-set")

    handler = set_status if choice is TICKET_STATUS else set_choice
    return PageRoute("POST", f"/tickets/{{id}}/{choice.name}", handler, "agent", form_view=show_ticket)


async def undo(visit: Visit) -> Redirect:
    events = parse_events(visit.form.get("events", ""))
    result = await visit.services.tickets.undo(visit.actor, events)
    path = redirects.local_path(visit.form.get("back"))
    if result.failed:
        return Redirect(path, "undo-partly-failed" if result.done else "undo-failed", len(result.failed))
    return Redirect(path, "undone")


async def mark_unread(visit: Visit) -> Redirect:
    ticket = await find_ticket(visit)
    await visit.services.tickets.lists.mark_unread(visit.actor, ticket.id)
    return Redirect(inbox.request_of_ticket(visit, ticket).list_path(), "marked-unread", ticket.number)


async def _change(visit: Visit, change: TicketChange, flash: str) -> Redirect:
    changed = await visit.services.tickets.change(visit.actor, visit.path_params["id"], change)
    return _redirect(visit, changed, ticket_path(visit), flash)


def _redirect(visit: Visit, changed: ChangedTicket, path: str, flash: str) -> Redirect:
    """Reports a change. Undoing it leads back to the ticket."""
    return Redirect(
        path,
        flash,
        number=changed.ticket.number,
        undo=[] if changed.event_id is None else [changed.event_id],
        undo_path=f"/tickets/{changed.ticket.id}{list_query(visit)}",
    )


FLASH_MESSAGES = {
    "claimed": "Ticket assigned to you.",
    "unclaimed": "Ticket unassigned.",
    "assigned": "Ticket assigned.",
    **{f"{choice.name}-set": f"{choice.name.capitalize()} changed." for choice in TICKET_CHOICES},
    "resolved": "Resolved #{n}.",
    "marked-unread": "Marked #{n} as unread.",
    "undone": "Change undone.",
    "undo-failed": "Not undone: a change can be undone for 10 minutes, until the ticket changes again.",
    "undo-partly-failed": "Undone, except for tickets that changed again meanwhile: {n}.",
}
PAGES = (
    PageRoute("POST", UNDO, undo, "agent"),
    PageRoute("POST", "/tickets/{id}/claim", claim, "agent", form_view=show_ticket),
    PageRoute("POST", "/tickets/{id}/unclaim", unclaim, "agent", form_view=show_ticket),
    PageRoute("POST", "/tickets/{id}/assign", assign, "agent", form_view=show_ticket),
    *(_choice_route(choice) for choice in TICKET_CHOICES),
    PageRoute("POST", "/tickets/{id}/unread", mark_unread, "viewer"),
)
