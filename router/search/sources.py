"""Chooses the index from which a list or a search of tickets reads.

A filter often has conditions that no index contains together, such as a tag and a status. Then the tickets that meet a
part of the conditions are read, and the other conditions are checked for each one. Of the parts that an index contains,
the one with the fewest tickets is read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from router.filters import TicketFilter
from router.store.database import Database

# Tickets that are counted for each source. Sources with as many count as equal.
MAX_COUNTED = 2000


@dataclass(frozen=True, slots=True)
class TicketSource:
    """The tickets that match `filter`, all of whose conditions one index contains."""

    filter: TicketFilter

    @property
    def query(self) -> str:
        """The query that reads the source. Its parameters are `parameters`, a position and a limit."""
        return "ticket_page" if self.filter.tag is None else "ticket_page_by_tag"

    @property
    def has_each_status(self) -> bool:
        """Whether the tickets of each status are read separately: the index has the status before the id."""
        own = self.filter
        return own.unresolved or (own.alias_id is not None and own.status is None)

    def parameters(self, wanted: TicketFilter | None = None) -> dict[str, Any]:
        """Returns the parameters to read the tickets that match `wanted`; by default, all tickets of the source."""
        given = self.filter if wanted is None else wanted
        return given.parameters() | {
            "selective": self.filter.is_selective,
            "flat": self.filter.is_flat,
            "each_status": self.has_each_status,
        }


async def choose_source(
    database: Database, workspace_id: str, ticket_filter: TicketFilter, **position: object
) -> TicketSource:
    """Returns the source with the fewest tickets among those that follow a position.

    Reads at most `MAX_COUNTED` entries of each index, or of each status in the index of an alias. Nothing is counted
    if there is only one source.
    """
    sources = possible_sources(ticket_filter)
    if len(sources) == 1:
        return sources[0]
    counts = [await count_tickets(database, workspace_id, source, MAX_COUNTED, **position) for source in sources]
    return sources[counts.index(min(counts))]


async def count_tickets(
    database: Database, workspace_id: str, source: TicketSource, max_counted: int, **position: object
) -> int:
    """Returns the number of tickets of a source that follow a position, up to `max_counted`."""
    row = await database.fetch_one(
        f"{source.query}_count", **source.parameters(), workspace_id=workspace_id, limit=max_counted, **position
    )
    return 0 if row is None else min(row["tickets"], max_counted)


def possible_sources(ticket_filter: TicketFilter) -> list[TicketSource]:
    """Returns the sources of a filter. The first one probably has the fewest tickets.

    Usually, most tickets are resolved, and few are open, assigned to one user, or of a high priority.
    """
    # Only unresolved tickets are unassigned. A status makes the condition superfluous.
    unresolved = (ticket_filter.unassigned or ticket_filter.unresolved) and ticket_filter.status is None
    given = replace(ticket_filter, q=None, unresolved=unresolved)
    conditions = [
        *([TicketFilter(unassigned=True)] if given.unassigned else []),
        *([TicketFilter(automatic="only")] if given.automatic == "only" else []),
    ]
    if given.alias_id is None or given.has_rare_priority:
        conditions += _by_priority_assignee_or_status(given, is_alone=not conditions)
    if given.alias_id is not None:
        conditions.append(
            TicketFilter(
                alias_id=given.alias_id,
                assigned_to=given.assigned_to,
                status=given.status,
                unresolved=given.unresolved,
            )
        )
    if given.tag is not None:
        tagged = TicketFilter(tag=given.tag)
        others = [each for each in conditions if each != TicketFilter()]
        is_narrow = (
            given.status not in (None, "resolved")
            or given.assigned_to is not None
            or given.unresolved
            or given.is_selective
        )
        conditions = [*others, tagged] if is_narrow else [tagged, *others]
    return [TicketSource(replace(each, spam=given.spam)) for each in conditions]


def _by_priority_assignee_or_status(given: TicketFilter, *, is_alone: bool) -> list[TicketFilter]:
    """Returns the sources in the indexes of these columns. Omits one with most tickets unless it `is_alone`."""
    by_status = TicketFilter(status=given.status, assigned_to=given.assigned_to, unresolved=given.unresolved)
    if not given.has_rare_priority:
        is_wide = given.assigned_to is None and given.status in (None, "resolved")
        return [by_status] if is_alone or not is_wide else []
    if given.assigned_to is None:
        return [TicketFilter(priority=given.priority, status=given.status, unresolved=given.unresolved)]
    by_priority = TicketFilter(priority=given.priority, assigned_to=given.assigned_to)
    has_status = given.status is not None or given.unresolved
    return [by_priority, by_status] if has_status and given.alias_id is None else [by_priority]
