"""The lists of tickets: the queue, one's own, all; filtered, searched, a page at a time."""

from __future__ import annotations

from typing import Any

from api.dashboard import display_names, users
from api.dashboard.change_feed import newest_id
from api.dashboard.page import Html, Nav, Page, Visit
from router.admin.paging import MAX_LIMIT
from router.admin.paging import Page as Found
from router.admin.tickets.tickets import TicketFilter
from router.model import TICKET_STATUSES, Ticket

PER_PAGE = 50
_ASKED = ("q", "status", "assignedTo", "aliasId")


async def unassigned(visit: Visit) -> Html:
    seen = await _seen(visit)
    found = await visit.services.tickets.list_unassigned(visit.actor, limit=PER_PAGE, cursor=visit.query.get("cursor"))
    return await _listed(visit, "Unassigned tickets", found, seen)


async def mine(visit: Visit) -> Html:
    asked = _asked(visit, "q", "status", "aliasId")
    seen = await _seen(visit)
    wanted = TicketFilter(
        status=asked["status"], assigned_to=visit.actor.user_id or "", alias_id=asked["aliasId"], q=asked["q"]
    )
    return await _listed(visit, "My tickets", await _page(visit, wanted), seen, **await _choices(visit, asked))


async def everything(visit: Visit) -> Html:
    asked = _asked(visit, *_ASKED)
    seen = await _seen(visit)
    wanted = TicketFilter(
        status=asked["status"], assigned_to=asked["assignedTo"], alias_id=asked["aliasId"], q=asked["q"]
    )
    return await _listed(visit, "All tickets", await _page(visit, wanted), seen, **await _choices(visit, asked))


async def _page(visit: Visit, wanted: TicketFilter) -> Found[Ticket]:
    return await visit.services.tickets.list(visit.actor, wanted, limit=PER_PAGE, cursor=visit.query.get("cursor"))


async def _seen(visit: Visit) -> str:
    """Before the list is read: what comes in between is told twice rather than never."""
    return newest_id(await visit.services.tickets.list_newest_ids(visit.actor))


def _asked(visit: Visit, *names: str) -> dict[str, str | None]:
    """The filters that are set."""
    return {name: visit.query.get(name, "").strip() or None for name in names}


async def _choices(visit: Visit, asked: dict[str, str | None]) -> dict[str, Any]:
    """What the filters offer."""
    aliases = await visit.services.aliases.list(visit.actor, limit=MAX_LIMIT)
    return {
        "asked": asked,
        "aliases": sorted(aliases.items, key=lambda alias: alias.email),
        "statuses": TICKET_STATUSES,
    }


async def _listed(visit: Visit, title: str, found: Found[Ticket], seen: str, **more: Any) -> Html:
    context = {
        "tickets": found.items,
        "next_cursor": found.next_cursor,
        "names": await display_names.resolve(visit, (ticket.assigned_to for ticket in found.items)),
        "people": await users.list_users(visit),
        "seen": seen,
        "asked": {},
        "first_page": "cursor" not in visit.query,
        "path": visit.request.path,
    }
    return Html("tickets.html", title, context | more)


NAV = (Nav("Tickets", "/tickets", "viewer", 20),)
PAGES = (
    Page("GET", "/tickets", everything, "viewer"),
    Page("GET", "/tickets/mine", mine, "viewer"),
    Page("GET", "/tickets/unassigned", unassigned, "viewer"),
)
