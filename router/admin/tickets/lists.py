"""The lists of tickets: pages in several orders, searches, counts, and which messages a user has read.

"Unread" is about messages only: changes by colleagues never make a ticket unread.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from router.admin import paging
from router.admin.fetch import fetch_by_id
from router.admin.paging import DEFAULT_LIMIT, Page, PageRequest
from router.admin.tickets.list_order import ListReader, SortKey, parse_sort, sort_key
from router.admin.tickets.list_rows import (
    ReadMark,
    TicketRow,
    read_previews,
    read_state,
    read_unread_since,
    ticket_row,
)
from router.admin.tickets.tags import TagService
from router.clock import Clock
from router.enumerations import TicketSort
from router.filters import ME, TicketFilter
from router.model import Actor, Ticket
from router.search.scans import Found, find
from router.store.database import Database

# The tickets and matches that one search reads (`router.search`), in at most about 50 ms. A search that needs more
# returns an incomplete page.
SEARCH_BUDGET = 2000
# Counts of tickets end here.
MAX_COUNTED = 1000
# Unread tickets are counted among this many of the newest unassigned tickets and of the newest ones of the user.
MAX_UNREAD = 100
# Stored reads that one transaction deletes.
BATCH_READS = 500
_ALL_TICKETS = TicketFilter()
_UNASSIGNED, _MINE, _OPEN, _SPAM = (
    TicketFilter(unassigned=True),
    TicketFilter(assigned_to=ME, unresolved=True),
    TicketFilter(unresolved=True),
    TicketFilter(spam="true"),
)


@dataclass(frozen=True, slots=True)
class ListCounts:
    """The numbers of tickets in the lists, each up to `MAX_COUNTED`.

    `mine` and `open` count unresolved tickets, `spam` those held as spam, which no other number has. `unread` counts
    the unread ones among the newest `MAX_UNREAD` tickets of `unassigned` and of `mine`.
    """

    unassigned: int
    mine: int
    open: int
    spam: int
    unread: int


class TicketListService:
    """Reads the lists of the actor's workspace. `parse_missing` parses new messages, so that a search finds them."""

    def __init__(
        self, database: Database, clock: Clock, tags: TagService, parse_missing: Callable[[], Awaitable[None]]
    ) -> None:
        self._database = database
        self._clock = clock
        self._tags = tags
        self._parse_missing = parse_missing

    async def list(
        self,
        actor: Actor,
        ticket_filter: TicketFilter = _ALL_TICKETS,
        *,
        sort: str | None = None,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
    ) -> Page[Ticket]:
        """Lists tickets. A blank `q` does not filter, but punctuation alone matches nothing.

        Args:
            sort: A value of `TICKET_SORT`; None for newest first. `waiting` omits tickets that are waiting or resolved.
                A search is always newest first.
        """
        order = parse_sort(sort, ticket_filter)
        position, request = _page_request(order, limit, cursor)
        found = await self._find(actor, _for_actor(ticket_filter, actor), order, position, request)
        tickets = await self._tags.attach(found.tickets)
        return request.to_page(tickets, lambda each: sort_key(each).encode(order), searched_to=found.searched_to)

    async def page(
        self,
        actor: Actor,
        ticket_filter: TicketFilter = _ALL_TICKETS,
        *,
        sort: str | None = None,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
    ) -> Page[TicketRow]:
        """Lists tickets like `list`, with their newest messages."""
        tickets = await self.list(actor, ticket_filter, sort=sort, limit=limit, cursor=cursor)
        since = await read_unread_since(self._database, actor)
        previews = await read_previews(self._database, actor, [ticket.id for ticket in tickets.items])
        rows = tuple(ticket_row(ticket, previews.get(ticket.id), since) for ticket in tickets.items)
        return Page(rows, tickets.next_cursor, tickets.is_incomplete)

    async def adjacent(
        self, actor: Actor, ticket_filter: TicketFilter, sort: str | None, ticket: Ticket
    ) -> tuple[Ticket | None, Ticket | None]:
        """Returns the previous and the next ticket of a list.

        `ticket` may have left the list: the result depends on its place only. In a search, there is no previous ticket,
        and no next one if the search does not find it within its budget.
        """
        order = parse_sort(sort, ticket_filter)
        wanted = _for_actor(ticket_filter, actor)
        if _is_search(wanted):
            found = await self._search(actor, wanted, ticket.id, limit=1)
            return None, next(iter(found.tickets), None)
        reader = ListReader(self._database, actor.workspace_id, wanted)
        previous = await reader.read(order, sort_key(ticket), limit=1, backwards=True)
        following = await reader.read(order, sort_key(ticket), limit=1)
        return next(iter(previous), None), next(iter(following), None)

    async def counts(self, actor: Actor) -> ListCounts:
        """Counts the tickets of the lists. Reads a bounded part of their indexes."""
        readers = [
            ListReader(self._database, actor.workspace_id, _for_actor(each, actor))
            for each in (_UNASSIGNED, _MINE, _OPEN, _SPAM)
        ]
        unassigned, mine, unresolved, spam = [await reader.count(MAX_COUNTED) for reader in readers]
        newest = [ticket for reader in readers[:2] for ticket in await reader.read("newest", None, limit=MAX_UNREAD)]
        since = await read_unread_since(self._database, actor)
        previews = await read_previews(self._database, actor, [ticket.id for ticket in newest])
        unread = sum(
            ticket.id in previews and read_state(ticket, previews[ticket.id]).unread(since) != "" for ticket in newest
        )
        return ListCounts(unassigned, mine, unresolved, spam, unread)

    async def mark_read(self, actor: Actor, ticket_id: str) -> ReadMark:
        """Marks all messages of a ticket as read, and returns what the user had read. Writes only if one was unread.

        Call it before the messages are read to be shown, so that a message that arrives in between stays unread.
        """
        ticket = await fetch_by_id(self._database, actor, Ticket, "ticket_by_id", ticket_id)
        since = await read_unread_since(self._database, actor)
        preview = (await read_previews(self._database, actor, [ticket.id])).get(ticket.id)
        if preview is None:
            return ReadMark(None, since)
        state = read_state(ticket, preview)
        if state.unread(since):
            await self._store_read(actor, ticket.id, state.newest_sequence)
        return ReadMark(state.read_sequence, since)

    async def mark_unread(self, actor: Actor, ticket_id: str) -> None:
        """Marks the newest message of a ticket as unread."""
        if actor.user_id is not None:
            ticket = await fetch_by_id(self._database, actor, Ticket, "ticket_by_id", ticket_id)
            preview = (await read_previews(self._database, actor, [ticket.id])).get(ticket.id)
            if preview is not None:
                await self._store_read(actor, ticket.id, preview["newest_sequence"] - 1)

    async def mark_all_read(self, actor: Actor) -> None:
        """Marks all messages of the workspace as read. An interruption leaves a part of them unread."""
        if actor.user_id is not None:
            await self._database.execute(
                "ticket_read_all", user_id=actor.user_id, workspace_id=actor.workspace_id, now=self._clock.now()
            )
            deleted = BATCH_READS
            while deleted == BATCH_READS:
                deleted = await self._database.execute("ticket_read_clear", user_id=actor.user_id, limit=BATCH_READS)

    async def _store_read(self, actor: Actor, ticket_id: str, sequence: int) -> None:
        await self._database.execute("ticket_read_set", user_id=actor.user_id, ticket_id=ticket_id, sequence=sequence)

    async def _find(
        self, actor: Actor, wanted: TicketFilter, order: TicketSort, position: SortKey | None, request: PageRequest
    ) -> Found:
        if _is_search(wanted):
            await self._parse_missing()
            return await self._search(actor, wanted, request.position, limit=request.row_limit)
        reader = ListReader(self._database, actor.workspace_id, wanted)
        return Found(await reader.read(order, position, limit=request.row_limit), None)

    async def _search(self, actor: Actor, wanted: TicketFilter, before: str, *, limit: int) -> Found:
        return await find(self._database, actor.workspace_id, wanted, before=before, limit=limit, budget=SEARCH_BUDGET)


def _is_search(ticket_filter: TicketFilter) -> bool:
    return ticket_filter.q is not None and bool(ticket_filter.q.strip())


def _for_actor(ticket_filter: TicketFilter, actor: Actor) -> TicketFilter:
    return replace(ticket_filter, assigned_to=actor.user_id or "") if ticket_filter.assigned_to == ME else ticket_filter


def _page_request(order: TicketSort, limit: int, cursor: str | None) -> tuple[SortKey | None, PageRequest]:
    """Returns the position of a page in an order, and the request. Raises `Refused` for an invalid limit or cursor."""
    request = paging.page_request("ticket", limit, None)
    if cursor is None:
        return None, request
    position = SortKey.decode(paging.decode_cursor(cursor), order)
    return position, PageRequest(position.ticket_id, request.limit)
