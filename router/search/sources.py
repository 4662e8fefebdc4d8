"""Chooses the index from which a list or a search of tickets reads.

A filter often has conditions that no index contains together, such as a tag and a status. Then the tickets that meet a
part of the conditions are read, and the other conditions are checked for each one. Of the parts that an index contains,
the one with the fewest tickets is read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from router.enumerations import TICKET_PRIORITY
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

    def parameters(self, wanted: TicketFilter | None = None) -> dict[str, Any]:
        """Returns the parameters to read the tickets that match `wanted`; by default, all tickets of the source."""
        given = self.filter if wanted is None else wanted
        return given.parameters() | {"selective": self.filter.is_selective}


async def choose_source(
    database: Database, workspace_id: str, ticket_filter: TicketFilter, *, before: str
) -> TicketSource:
    """Returns the source with the fewest tickets among those with ids less than `before`.

    Reads at most `MAX_COUNTED` entries of each index, or of each status in the index of an alias. Nothing is counted
    if there is only one source.
    """
    sources = possible_sources(ticket_filter)
    if len(sources) == 1:
        return sources[0]
    counts: list[int] = []
    for source in sources:
        row = await database.fetch_one(
            f"{source.query}_count",
            **source.parameters(),
            workspace_id=workspace_id,
            before=before,
            limit=MAX_COUNTED,
        )
        counts.append(0 if row is None else min(row["tickets"], MAX_COUNTED))
    return sources[counts.index(min(counts))]


def possible_sources(ticket_filter: TicketFilter) -> list[TicketSource]:
    """Returns the sources of a filter. The first one probably has the fewest tickets.

    Usually, most tickets are resolved, and few are open, assigned to one user, or of a high priority.
    """
    given = replace(ticket_filter, q=None)
    conditions = []
    if given.alias_id is None or given.is_selective:
        conditions.append(_without_alias(given))
    if given.alias_id is None and given.priority and given.status and given.assigned_to and given.is_selective:
        conditions.append(TicketFilter(status=given.status, assigned_to=given.assigned_to))
    if given.alias_id is not None:
        conditions.append(TicketFilter(alias_id=given.alias_id, assigned_to=given.assigned_to, status=given.status))
    if given.tag is not None:
        tagged = TicketFilter(tag=given.tag)
        others = [each for each in conditions if each != TicketFilter()]
        is_narrow = given.status not in (None, "resolved") or given.assigned_to is not None or given.is_selective
        conditions = [*others, tagged] if is_narrow else [tagged, *others]
    return [TicketSource(each) for each in conditions]


def _without_alias(given: TicketFilter) -> TicketFilter:
    if given.unassigned:
        return TicketFilter(unassigned=True)
    if given.priority in (None, TICKET_PRIORITY.default):
        return TicketFilter(status=given.status, assigned_to=given.assigned_to)
    if given.assigned_to is not None:
        return TicketFilter(priority=given.priority, assigned_to=given.assigned_to)
    return TicketFilter(priority=given.priority, status=given.status)
