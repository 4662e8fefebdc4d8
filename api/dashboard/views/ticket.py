"""`/tickets/{id}`: the conversation of a ticket, its properties, its sender, and the list from which it was opened."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, urlencode

from api.dashboard import display_names, inbox, message_display, reply_link, sender_verdicts, users
from api.dashboard.change_feed import newest_id
from api.dashboard.composer import build_composer
from api.dashboard.page import HtmlPage, PageRoute, Visit
from api.dashboard.ticket_pane import build_pane
from api.dashboard.ticket_replies import read_replies
from api.dashboard.timeline_entries import PageEntry, build_entries
from router.admin.paging import MAX_LIMIT
from router.admin.tickets.senders import SenderView
from router.enumerations import TICKET_CHOICES, TICKET_STATUS
from router.errors import Refused, not_found_error
from router.filters import DeliveryFilter, TicketFilter, query_name
from router.model import Ticket

MAX_EARLIER = 5  # other tickets of the sender
# The parameters of the query string that say from which list a ticket was opened. All forms and links keep them.
_LIST_PARAMETERS = (inbox.LIST, inbox.SORT, inbox.CURSOR, *map(query_name, TicketFilter.criteria()))


async def show_ticket(visit: Visit) -> HtmlPage:
    ticket_id = visit.path_params["id"]
    newest = newest_id(await visit.services.tickets.list_newest_ids(visit.actor))
    read = await visit.services.tickets.lists.mark_read(visit.actor, ticket_id)
    before = visit.query.get("before")
    timeline = await visit.services.tickets.get_timeline(visit.actor, ticket_id, before)
    ticket = timeline.ticket
    edited_note = visit.path_params.get("note") or visit.query.get("edit", "")
    entries = build_entries(timeline, read, {*message_display.requested_messages(visit.query), edited_note})
    senders = sender_verdicts.build_views(timeline)
    pane = await build_pane(visit, ticket, inbox.request_of_ticket(visit, ticket))
    composer = await build_composer(visit, ticket)
    mailto = reply_link.build_mailto(timeline.reply_addresses, ticket.subject) if composer is None else composer.mailto
    context = {
        "ticket": ticket,
        "entries": entries,
        "displays": await message_display.read_displays(visit, timeline, f"/tickets/{ticket.id}"),
        "senders": senders,
        "warning": "" if before else sender_verdicts.newest_warning(timeline),
        "is_checking": any(each.is_queued for each in senders.values()),
        "can_recheck": _writes(visit) and visit.services.sender_checks.enabled,
        "pane": pane,
        "kept": pane.request.ticket_parameters,
        "edited_note": edited_note,
        "is_older": before is not None,
        "composer": composer,
        "replies": await read_replies(visit, ticket),
        "reply_link": mailto,
        "names": await _names(visit, [ticket, *(row.ticket for row in pane.rows)], entries),
        "newest_id": newest,
        **await _details(visit, ticket),
    }
    return HtmlPage("ticket.html", f"#{ticket.number} {ticket.subject or '(no subject)'}", context)


def ticket_path(visit: Visit, page: str = "") -> str:
    """Returns the path of the ticket of the request, or of another page of it, with the list from which it was opened.

    The number of the ticket may be written as `#42`.
    """
    return f"/tickets/{quote(visit.path_params['id'], safe='')}{page}{list_query(visit)}"


def list_query(visit: Visit) -> str:
    """Returns the part of the query string, with its `?`, that says from which list the ticket was opened."""
    given = {name: visit.query[name] for name in _LIST_PARAMETERS if visit.query.get(name)}
    return f"?{urlencode(given)}" if given else ""


async def find_ticket(visit: Visit) -> Ticket:
    """Returns the ticket of the request without its tags."""
    ticket_id = await visit.services.tickets.find_id(visit.actor, visit.path_params["id"])
    found = (await visit.services.tickets.get_many(visit.actor, [ticket_id])).get(ticket_id)
    if found is None:
        raise not_found_error("Ticket")
    return found


def _writes(visit: Visit) -> bool:
    return visit.has_role("agent")


async def _details(visit: Visit, ticket: Ticket) -> dict[str, Any]:
    """Returns the context of the properties and the sender of a ticket."""
    workspace_users = await users.list_users(visit)
    sender = await _find_sender(visit, ticket)
    return {
        "emails": {user.id: user.email for user in workspace_users},
        "assignees": [user for user in workspace_users if user.role != "viewer" and user.disabled_at is None],
        # The buttons for the status depend on the current status.
        "choices": [choice for choice in TICKET_CHOICES if choice is not TICKET_STATUS],
        "can_assign": _writes(visit) and (visit.has_role("admin") or ticket.assigned_to == visit.actor.user_id),
        "sender": sender,
        "earlier": [each for each in sender.recent if each.id != ticket.id][:MAX_EARLIER] if sender else [],
        # The counts leave out spam.
        "sender_tickets": sum(sender.counts.values()) - (0 if ticket.spam else 1) if sender else 0,
        "deliveries": await visit.services.deliveries.list(
            visit.actor,
            DeliveryFilter(ticket_id=ticket.id, target="integration", without_updates=True),
            limit=MAX_LIMIT,
        ),
    }


async def _find_sender(visit: Visit, ticket: Ticket) -> SenderView | None:
    """Returns the sender of a ticket, or None if the message names no address."""
    try:
        return await visit.services.senders.get(visit.actor, ticket.from_address)
    except Refused:
        return None


async def _names(visit: Visit, tickets: Iterable[Ticket], entries: Iterable[PageEntry]) -> dict[str, str]:
    shown = [each for entry in entries for each in (entry, *entry.rest)]
    every = [each for entry in shown for each in (entry, *entry.earlier)]
    ids = [*(ticket.assigned_to for ticket in tickets), *(entry.event.user_id for entry in every)]
    ids += [entry.detail[name] for entry in every for name in ("to", "from") if _is_user(entry, name)]
    return await display_names.resolve(visit, ids)


def _is_user(entry: PageEntry, name: str) -> bool:
    return str(entry.detail.get(name, "")).startswith("user_")


PAGES = (PageRoute("GET", "/tickets/{id}", show_ticket, "viewer", compress=True),)
