"""`/tickets`: the lists of tickets, with filters and search."""

from __future__ import annotations

from typing import Any

from api.dashboard import display_names, users
from api.dashboard.change_feed import newest_id
from api.dashboard.page import HtmlPage, NavLink, PageRoute, Visit
from router.admin.paging import MAX_LIMIT
from router.admin.paging import Page as ResultPage
from router.admin.tickets.tickets import TicketFilter
from router.model import TICKET_STATUS, Ticket

PER_PAGE = 50
_FILTER_PARAMETERS = ("q", "status", "assignedTo", "aliasId")


async def show_unassigned(visit: Visit) -> HtmlPage:
    newest = await _newest_id(visit)
    batch = await visit.services.tickets.list_unassigned(visit.actor, limit=PER_PAGE, cursor=visit.query.get("cursor"))
    return await _list_page(visit, "Unassigned tickets", batch, newest)


async def show_mine(visit: Visit) -> HtmlPage:
    filters = _requested_filters(visit, "q", "status", "aliasId")
    newest = await _newest_id(visit)
    ticket_filter = TicketFilter(
        status=filters["status"], assigned_to=visit.actor.user_id or "", alias_id=filters["aliasId"], q=filters["q"]
    )
    return await _list_page(
        visit, "My tickets", await _find_tickets(visit, ticket_filter), newest, **await _filter_context(visit, filters)
    )


async def show_all(visit: Visit) -> HtmlPage:
    filters = _requested_filters(visit, *_FILTER_PARAMETERS)
    newest = await _newest_id(visit)
    ticket_filter = TicketFilter(
        status=filters["status"], assigned_to=filters["assignedTo"], alias_id=filters["aliasId"], q=filters["q"]
    )
    return await _list_page(
        visit, "All tickets", await _find_tickets(visit, ticket_filter), newest, **await _filter_context(visit, filters)
    )


async def _find_tickets(visit: Visit, ticket_filter: TicketFilter) -> ResultPage[Ticket]:
    return await visit.services.tickets.list(
        visit.actor, ticket_filter, limit=PER_PAGE, cursor=visit.query.get("cursor")
    )


async def _newest_id(visit: Visit) -> str:
    """Must be called before the tickets are read, so that the page does not miss a change in between."""
    return newest_id(await visit.services.tickets.list_newest_ids(visit.actor))


def _requested_filters(visit: Visit, *names: str) -> dict[str, str | None]:
    return {name: visit.query.get(name, "").strip() or None for name in names}


async def _filter_context(visit: Visit, filters: dict[str, str | None]) -> dict[str, Any]:
    aliases = await visit.services.aliases.list(visit.actor, limit=MAX_LIMIT)
    return {
        "filters": filters,
        "aliases": sorted(aliases.items, key=lambda alias: alias.email),
        "statuses": TICKET_STATUS.options(),
    }


async def _list_page(visit: Visit, title: str, batch: ResultPage[Ticket], newest: str, **extra: Any) -> HtmlPage:
    context = {
        "tickets": batch.items,
        "next_cursor": batch.next_cursor,
        "names": await display_names.resolve(visit, (ticket.assigned_to for ticket in batch.items)),
        "users": await users.list_users(visit),
        "newest_id": newest,
        "filters": {},
        "first_page": "cursor" not in visit.query,
        "path": visit.request.path,
    }
    return HtmlPage("tickets.html", title, context | extra)


NAV_LINKS = (NavLink("Tickets", "/tickets", "viewer", 20),)
PAGES = (
    PageRoute("GET", "/tickets", show_all, "viewer"),
    PageRoute("GET", "/tickets/mine", show_mine, "viewer"),
    PageRoute("GET", "/tickets/unassigned", show_unassigned, "viewer"),
)
