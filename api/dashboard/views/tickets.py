"""`/tickets`: the lists of tickets, with filters and search."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter

from api.dashboard import display_names, users
from api.dashboard.change_feed import newest_id
from api.dashboard.page import HtmlPage, NavLink, PageRoute, Visit
from router.admin.paging import MAX_LIMIT
from router.filters import ME, TicketFilter, query_name
from router.model import User

INBOX = "/tickets/unassigned"
PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class FilterField:
    """A field of the filter form. `options` has (value, label) pairs; None is a text field."""

    name: str
    label: str
    value: str
    options: list[tuple[str, str]] | None


async def show_unassigned(visit: Visit) -> HtmlPage:
    return await _list_page(visit, "Unassigned tickets", TicketFilter(unassigned=True))


async def show_mine(visit: Visit) -> HtmlPage:
    own = replace(_requested_filter(visit), assigned_to=ME)
    return await _list_page(visit, "My tickets", own, without={"assigned_to"})


async def show_all(visit: Visit) -> HtmlPage:
    return await _list_page(visit, "All tickets", _requested_filter(visit), without=())


def _requested_filter(visit: Visit) -> TicketFilter:
    """Returns the filter of the query string. A form also submits the fields that are empty."""
    return TicketFilter.from_query({name: value.strip() or None for name, value in visit.query.items()})


async def _newest_id(visit: Visit) -> str:
    """Must be called before the tickets are read, so that the page does not miss a change in between."""
    return newest_id(await visit.services.tickets.list_newest_ids(visit.actor))


async def _filter_fields(
    visit: Visit, ticket_filter: TicketFilter, workspace_users: Sequence[User], without: Collection[str]
) -> list[FilterField]:
    aliases = await visit.services.aliases.list(visit.actor, limit=MAX_LIMIT)
    known = {
        "user": [(ME, "Me"), *((user.id, user.name or user.email) for user in workspace_users)],
        "alias": sorted(((alias.id, alias.email) for alias in aliases.items), key=itemgetter(1)),
    }
    return [
        FilterField(
            query_name(name),
            criterion.label,
            getattr(ticket_filter, name) or "",
            known.get(criterion.refers_to or "") if criterion.choice is None else criterion.choice.options(),
        )
        for name, criterion in TicketFilter.criteria().items()
        if name not in without
    ]


async def _list_page(
    visit: Visit, title: str, ticket_filter: TicketFilter, *, without: Collection[str] | None = None
) -> HtmlPage:
    """Shows a list with a form for all filters except those in `without`, or without a form for None."""
    newest = await _newest_id(visit)
    batch = await visit.services.tickets.list(
        visit.actor, ticket_filter, limit=PER_PAGE, cursor=visit.query.get("cursor")
    )
    workspace_users = await users.list_users(visit)
    form = [] if without is None else await _filter_fields(visit, ticket_filter, workspace_users, without)
    context = {
        "tickets": batch.items,
        "next_cursor": batch.next_cursor,
        "is_incomplete": batch.is_incomplete,
        "names": await display_names.resolve(visit, (ticket.assigned_to for ticket in batch.items)),
        "newest_id": newest,
        "filter_fields": form,
        "filters": {each.name: each.value for each in form if each.value},
        "first_page": "cursor" not in visit.query,
        "path": visit.request.path,
    }
    return HtmlPage("tickets.html", title, context)


NAV_LINKS = (NavLink("Inbox", INBOX, "viewer", 20, icon="inbox", key="i", section="/tickets"),)
PAGES = (
    PageRoute("GET", "/tickets", show_all, "viewer"),
    PageRoute("GET", "/tickets/mine", show_mine, "viewer"),
    PageRoute("GET", "/tickets/unassigned", show_unassigned, "viewer"),
)
