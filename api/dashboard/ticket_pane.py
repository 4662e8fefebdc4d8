"""The list next to a ticket, from which it was opened, and the tickets before and after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from api.dashboard.inbox import ListRequest
from api.dashboard.page import Visit
from router.admin.paging import Page, encode_cursor
from router.admin.tickets.list_order import sort_key
from router.admin.tickets.list_rows import TicketRow
from router.enumerations import TicketSort
from router.model import Ticket

PER_PAGE = 40  # as in the list
MAX_ROWS = 30  # so that the page of a ticket stays below 100 kB


@dataclass(frozen=True, slots=True)
class TicketPane:
    """A part of a list around a ticket. The ticket itself is missing if it has left the list."""

    request: ListRequest
    rows: Sequence[TicketRow]
    previous: Ticket | None
    next: Ticket | None


async def build_pane(visit: Visit, ticket: Ticket, request: ListRequest) -> TicketPane:
    previous, following = await find_adjacent(visit, ticket, request)
    page = await _read_page(visit, request)
    listed = {row.ticket.id for row in page.items}
    around = [each.id for each in (ticket, following, previous) if each is not None]
    if ticket.id not in listed and not listed.issuperset(around[1:]):
        # The user has moved beyond the page: the list begins with the ticket.
        request = replace(request, cursor=None if previous is None else _cursor_after(previous, request.sort))
        page = await _read_page(visit, request)
    return TicketPane(request, _rows_around(page.items, around), previous, following)


async def find_adjacent(visit: Visit, ticket: Ticket, request: ListRequest) -> tuple[Ticket | None, Ticket | None]:
    """Returns the previous and the next ticket of the list."""
    return await visit.services.tickets.lists.adjacent(visit.actor, request.filter, request.sort, ticket)


async def _read_page(visit: Visit, request: ListRequest) -> Page[TicketRow]:
    return await visit.services.tickets.lists.page(
        visit.actor, request.filter, sort=request.sort, limit=PER_PAGE, cursor=request.cursor
    )


def _cursor_after(ticket: Ticket, sort: TicketSort) -> str:
    return encode_cursor(sort_key(ticket).encode(sort))


def _rows_around(rows: Sequence[TicketRow], ids: Sequence[str]) -> Sequence[TicketRow]:
    """Returns `MAX_ROWS` of the rows. The first of `ids` that is among them is in the middle."""
    places = {row.ticket.id: n for n, row in enumerate(rows)}
    found = next((places[each] for each in ids if each in places), 0)
    start = max(0, min(found - MAX_ROWS // 2, len(rows) - MAX_ROWS))
    return rows[start : start + MAX_ROWS]
