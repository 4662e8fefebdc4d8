"""Reads lists of tickets in each of their orders, without a search.

A position in a list is the sort key of a ticket. It stays valid after the ticket left the list. Each read is bounded:
the first tickets of an index, or at most `MAX_SORTED` tickets that are then sorted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from router import ids
from router.enumerations import TICKET_PRIORITY, TICKET_SORT, TicketPriority, TicketSort
from router.errors import Refused
from router.filters import TicketFilter
from router.model import Micros, Ticket
from router.search.sources import choose_source, count_tickets
from router.store.database import Database, fetch_models

# Of at most this many open tickets, those that wait longest are found by sorting. Of more, by reading the index.
MAX_SORTED = 500
# Smaller and greater than any id, because the first character of an id after its prefix is at most 7.
FIRST_ID, LAST_ID = "ticket_", f"ticket_{'z' * 26}"
_MAX_MICROS: Micros = 2**63 - 1


@dataclass(frozen=True, slots=True)
class SortKey:
    """The place of a ticket in a list. An order ignores the fields that it does not need."""

    ticket_id: str
    priority: TicketPriority = "normal"
    since: Micros = 0

    def encode(self, sort: TicketSort) -> str:
        """Returns the text in cursors. Only the text of a position in the list `newest` is an id alone."""
        if sort == "newest":
            return self.ticket_id
        value = {"oldest": (), "waiting": (str(self.since),), "priority": (self.priority,)}[sort]
        return " ".join((sort, *value, self.ticket_id))

    @staticmethod
    def decode(text: str, sort: TicketSort) -> SortKey:
        """Raises `Refused` for a malformed text, or one of another order."""
        *head, ticket_id = text.split(" ")
        if ids.is_well_formed(ticket_id, "ticket"):
            match (sort, head):
                case ("newest", []) | ("oldest", ["oldest"]):
                    return SortKey(ticket_id)
                case ("priority", ["priority", priority]) if priority in TICKET_PRIORITY.values:
                    return SortKey(ticket_id, priority=TICKET_PRIORITY.parse(priority))
                case ("waiting", ["waiting", since]) if _is_micros(since):
                    return SortKey(ticket_id, since=int(since))
        raise Refused("invalid_request", "cursor is not valid for this list and sort", "cursor")


def _is_micros(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= _MAX_MICROS


def sort_key(ticket: Ticket) -> SortKey:
    """Returns the place of a ticket. Resolving or assigning the ticket does not change it."""
    since = ticket.received_at if ticket.unanswered_since is None else ticket.unanswered_since
    return SortKey(ticket.id, ticket.priority, since)


def _sorted(tickets: list[Ticket], sort: TicketSort, *, backwards: bool) -> list[Ticket]:
    if sort == "waiting":
        return sorted(tickets, key=lambda each: (sort_key(each).since, each.id), reverse=backwards)
    found = sorted(tickets, key=lambda each: each.id, reverse=(sort == "oldest") is backwards)
    if sort == "priority":
        found.sort(key=lambda each: TICKET_PRIORITY.values.index(each.priority), reverse=backwards)
    return found


class ListReader:
    """Reads the tickets of a workspace that match a filter without words."""

    def __init__(self, database: Database, workspace_id: str, ticket_filter: TicketFilter) -> None:
        self._database = database
        self._workspace_id = workspace_id
        self._filter = ticket_filter

    async def read(
        self, sort: TicketSort, position: SortKey | None, *, limit: int, backwards: bool = False
    ) -> Sequence[Ticket]:
        """Returns up to `limit` tickets that follow a position, or precede it if `backwards`.

        The nearest ticket is the first one. None is the start of the list.
        """
        if self._filter.is_contradictory:
            return ()
        if self._filter.spam == "all":
            readers = [ListReader(self._database, self._workspace_id, each) for each in self._filter.by_spam()]
            parts = [await reader.read(sort, position, limit=limit, backwards=backwards) for reader in readers]
            return _sorted([ticket for part in parts for ticket in part], sort, backwards=backwards)[:limit]
        if sort == "waiting":
            return await self._read_waiting(position, limit, reverse=backwards)
        if sort == "priority":
            return await self._read_by_priority(position, limit, backwards=backwards)
        after = None if position is None else position.ticket_id
        return await self._read_by_id(self._filter, after, limit, oldest_first=(sort == "oldest") is not backwards)

    async def count(self, limit: int) -> int:
        """Returns the number of tickets in the only source of the filter, up to `limit`."""
        source = await choose_source(self._database, self._workspace_id, self._filter, before=LAST_ID)
        return await count_tickets(self._database, self._workspace_id, source, limit, before=LAST_ID)

    async def _read_by_id(
        self, ticket_filter: TicketFilter, position: str | None, limit: int, *, oldest_first: bool
    ) -> Sequence[Ticket]:
        bounds = (
            {"oldest_first": True, "after": position or FIRST_ID} if oldest_first else {"before": position or LAST_ID}
        )
        source = await choose_source(self._database, self._workspace_id, ticket_filter, **bounds)
        return await fetch_models(
            self._database,
            Ticket,
            source.query,
            workspace_id=self._workspace_id,
            limit=limit,
            **source.parameters(ticket_filter),
            **bounds,
        )

    async def _read_by_priority(self, position: SortKey | None, limit: int, *, backwards: bool) -> Sequence[Ticket]:
        """Reads the tickets of one priority after the other."""
        values = TICKET_PRIORITY.values[::-1] if backwards else TICKET_PRIORITY.values
        following = values if position is None else values[values.index(position.priority) :]
        tickets: list[Ticket] = []
        for priority in following:
            if self._filter.priority in (None, priority) and len(tickets) < limit:
                is_current = position is not None and priority == position.priority
                tickets += await self._read_by_id(
                    replace(self._filter, priority=priority),
                    position.ticket_id if position is not None and is_current else None,
                    limit - len(tickets),
                    oldest_first=backwards,
                )
        return tickets

    async def _read_waiting(self, position: SortKey | None, limit: int, *, reverse: bool) -> Sequence[Ticket]:
        if self._filter.status in ("waiting", "resolved"):
            return ()
        open_filter = replace(self._filter, unresolved=True)
        source = await choose_source(self._database, self._workspace_id, open_filter, before=LAST_ID)
        count = await count_tickets(self._database, self._workspace_id, source, MAX_SORTED + 1, before=LAST_ID)
        if count > MAX_SORTED:
            return await self._read_index(position, limit, reverse=reverse)
        tickets = await fetch_models(
            self._database,
            Ticket,
            source.query,
            workspace_id=self._workspace_id,
            before=LAST_ID,
            limit=MAX_SORTED,
            **source.parameters(open_filter),
        )
        by_key = {
            (key.since, key.ticket_id): ticket
            for ticket in tickets
            if ticket.waiting_since is not None and (key := sort_key(ticket))
        }
        bound = None if position is None else (position.since, position.ticket_id)
        found = sorted(
            (key for key in by_key if bound is None or (key < bound if reverse else key > bound)), reverse=reverse
        )
        return [by_key[key] for key in found[:limit]]

    async def _read_index(self, position: SortKey | None, limit: int, *, reverse: bool) -> Sequence[Ticket]:
        start = SortKey(LAST_ID, since=_MAX_MICROS) if reverse else SortKey(FIRST_ID)
        found = position or start
        conditions = self._filter.parameters() | {"selective": True, "flat": True}
        return await fetch_models(
            self._database,
            Ticket,
            "ticket_page_waiting",
            **conditions,
            workspace_id=self._workspace_id,
            since=found.since,
            ticket_id=found.ticket_id,
            reverse=reverse,
            limit=limit,
        )


def parse_sort(text: str | None, ticket_filter: TicketFilter) -> TicketSort:
    """Returns the order of a list; by default, newest first. Raises `Refused`, also for a search in another order."""
    sort = TICKET_SORT.parse(text or "newest")
    if sort != "newest" and ticket_filter.q is not None and ticket_filter.q.strip():
        raise Refused("invalid_request", "sort must be newest in a search", "sort")
    return sort
