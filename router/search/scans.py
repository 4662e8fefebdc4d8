"""Finds the tickets that match words and filters, newest first, with bounded work.

A search reads backwards in time. Each step is one of two scans:

- **List scan**: reads the next tickets of the source of the list (`router.search.sources`) and checks the words and the
  other filters. Fast if most tickets match.
- **Index scan**: reads the matches of a time window from the search index. Fast if few tickets match.

The next step is the scan that covers the longer time for the same work. When the work reaches the budget, the search
ends, and its caller continues it with the returned cursor. Neither the choice of scans nor the budget changes which
tickets the pages contain together. No state is kept between pages.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from router import ids
from router.filters import TicketFilter
from router.model import Ticket
from router.search.sources import TicketSource, choose_source
from router.search.terms import SLOT_BITS, SearchQuery, parse_query
from router.store.database import Database, Row, model_from_row

# The work of a scan, in addition to the tickets and matches that it reads. In each index scan for a prefix, PostgreSQL
# reads all words that start with it.
SCAN_COST, PREFIX_SCAN_COST = 100, 200
# The first list scan reads `FIRST_SCAN_PAGES` pages of tickets, others read `SCAN_SIZE` tickets.
FIRST_SCAN_PAGES, SCAN_SIZE = 4, 500
# An index scan aims at a number of matches: first `TARGET_PAGES` pages, then up to `MAX_TARGET`, while filters discard
# most of them. After `EXCESS_FACTOR` times as many matches, it fails, and the window is divided by `WINDOW_DIVISOR`.
TARGET_PAGES, MAX_TARGET, EXCESS_FACTOR, WINDOW_DIVISOR = 2, 400, 4, 8
# The maximum growth of the window from one index scan to the next, without and with a prefix.
GROWTH, PREFIX_GROWTH = 8, 64
# A prefix is not looked up in the index if it matches over `PREFIX_EXCESS` times as many tickets as the other words.
PREFIX_EXCESS = 8


@dataclass(frozen=True, slots=True)
class Found:
    """The newest matching tickets.

    All tickets with the id `searched_to` or a larger one are searched; None means all tickets.
    """

    tickets: Sequence[Ticket]
    searched_to: str | None


async def find(
    database: Database, workspace_id: str, ticket_filter: TicketFilter, *, before: str, limit: int, budget: int
) -> Found:
    """Finds up to `limit` tickets with ids less than `before` that match `ticket_filter`, which contains the words.

    Reads about `budget` tickets and matches. With fewer than `limit` tickets, a `searched_to` means that this was not
    enough.
    """
    parts = ticket_filter.by_spam()
    if len(parts) > 1:
        budget //= len(parts)
        found = [await find(database, workspace_id, each, before=before, limit=limit, budget=budget) for each in parts]
        return _merge(found, limit)
    is_spam = ticket_filter.spam == "true"
    question = parse_query(workspace_id, ticket_filter.q or "", ticket_filter.alias_id, is_spam=is_spam)
    if question is None:
        return Found((), None)
    source = await choose_source(database, workspace_id, ticket_filter, before=before)
    return await _Search(database, workspace_id, question, ticket_filter, source, before, limit, budget).run()


def _merge(parts: Sequence[Found], limit: int) -> Found:
    """Joins the results of searches over different tickets. They end where the first of the searches ended."""
    searched_to = max((each.searched_to for each in parts if each.searched_to is not None), default=None)
    every = sorted((ticket for part in parts for ticket in part.tickets), key=lambda each: each.id, reverse=True)
    tickets = [each for each in every if searched_to is None or each.id >= searched_to]
    return Found(tickets[:limit], tickets[limit - 1].id if len(tickets) > limit else searched_to)


class _Search:
    """The state of one search."""

    def __init__(  # noqa: PLR0917 - private
        self,
        database: Database,
        workspace_id: str,
        question: SearchQuery,
        ticket_filter: TicketFilter,
        source: TicketSource,
        before: str,
        limit: int,
        budget: int,
    ) -> None:
        self._database = database
        self._question = question
        self._filters = {"workspace_id": workspace_id, **ticket_filter.parameters()}
        self._source = source
        self._limit = limit
        self._work_left = budget
        self._rows: list[Row] = []
        self._before = before  # all tickets with this or a larger id are searched
        self._is_complete = False
        self._criteria = question.to_json()
        self._looks_up_prefix = bool(question.prefix)  # in the index; else, index scans check each match for it
        self._list_pace = 0.0  # milliseconds per ticket in the last list scan
        self._window_ms = 0  # the length of the next index scan
        self._dense_since_ms = 0  # the start of the last window with too many matches
        self._target = TARGET_PAGES * limit

    async def run(self) -> Found:
        counts = await self._scan_list(FIRST_SCAN_PAGES * self._limit)
        if self._looks_up_prefix and self._question.complete and PREFIX_EXCESS * counts["complete"] < counts["prefix"]:
            self._criteria, self._looks_up_prefix = self._question.to_json(complete_only=True), False
        oldest_ms = None
        while not self._is_complete and len(self._rows) < self._limit and self._work_left > 0:
            if self._window_ms < self._list_pace * self._target:
                # Words that are common here may be rare in older tickets, so the index scan is tried eventually.
                self._window_ms = 2 * self._window_ms or 1
                await self._scan_list(SCAN_SIZE)
            else:
                oldest_ms = await self._oldest_ms() if oldest_ms is None else oldest_ms
                await self._scan_index(oldest_ms)
        tickets = [model_from_row(Ticket, row) for row in self._rows[: self._limit]]
        if len(tickets) == self._limit:
            return Found(tickets, tickets[-1].id)  # the scan may have found more
        return Found(tickets, None if self._is_complete else self._before)

    @property
    def _has_unindexed_filter(self) -> bool:
        """Whether there is a filter other than those that the index contains: the alias, and whether it is spam."""
        indexed = ("workspace_id", "q", "alias_id", "spam")
        return any(value not in {None, False} for name, value in self._filters.items() if name not in indexed)

    async def _oldest_ms(self) -> int:
        oldest = await self._database.fetch_one(
            "search_oldest", workspace_id=self._filters["workspace_id"], spam=self._filters["spam"]
        )
        return ids.timestamp_ms(self._before if oldest is None else oldest["id"])

    async def _scan_list(self, limit: int) -> Counter[str]:
        """Returns the number of tickets that match the filters and the `complete` part or the `prefix`."""
        rows = await self._database.fetch_all(
            self._source.query,
            **self._source.parameters(),
            workspace_id=self._filters["workspace_id"],
            before=self._before,
            limit=limit,
        )
        self._work_left -= len(rows) + SCAN_COST
        self._is_complete = len(rows) < limit
        if not rows:
            return Counter()
        ids_json = json.dumps([row["id"] for row in rows])
        matches = await self._database.fetch_all(
            "search_match_tickets", **self._filters, ids=ids_json, criteria=self._criteria
        )
        matching = {row["ticket_id"] for row in matches if row["complete"] and row["prefix"]}
        self._rows += [row for row in rows if row["id"] in matching]
        length_ms = max(1, ids.timestamp_ms(rows[0]["id"]) - ids.timestamp_ms(rows[-1]["id"]))
        self._list_pace, self._before = length_ms / len(rows), rows[-1]["id"]
        if not self._window_ms and self._has_unindexed_filter:  # matches that the filter discards are unknown
            self._window_ms = int(self._list_pace * self._target) // 2
        elif not self._window_ms:
            self._window_ms = self._next_window(length_ms, len(matching))
        return Counter(part for row in matches for part in ("complete", "prefix") if row[part])

    async def _scan_index(self, oldest_ms: int) -> None:
        newest_ms = ids.timestamp_ms(self._before)
        since_ms = max(oldest_ms, newest_ms - self._window_ms)
        match_limit = EXCESS_FACTOR * self._target
        rows = await self._database.fetch_all(
            "search_window",
            **self._filters,
            criteria=self._criteria,
            discards_matches=self._has_unindexed_filter or bool(self._question.prefix) is not self._looks_up_prefix,
            since=since_ms << SLOT_BITS,
            until=newest_ms + 1 << SLOT_BITS,
            max_matches=match_limit,
            before=self._before,
            limit=self._limit - len(self._rows),
        )
        match_count = rows[0]["matches"]
        self._work_left -= match_count + (PREFIX_SCAN_COST if self._looks_up_prefix else SCAN_COST)
        if match_count > match_limit:
            self._dense_since_ms = since_ms
            self._window_ms = (newest_ms - since_ms) // WINDOW_DIVISOR  # a list scan follows a window of zero
            return
        found = [row for row in rows if row["id"] is not None]
        self._rows += found
        self._before, self._is_complete = ids.first_id_at("ticket", since_ms), since_ms == oldest_ms
        if len(found) < match_count // 2:
            self._target = min(2 * self._target, max(MAX_TARGET, self._target))
        length_ms = max(1, newest_ms - since_ms)
        self._window_ms = self._next_window(length_ms, match_count)
        if self._dense_since_ms < since_ms:  # the next window may overlap the dense one
            self._window_ms = min(self._window_ms, max(length_ms, (since_ms - self._dense_since_ms) // 2))

    def _next_window(self, length_ms: int, match_count: int) -> int:
        growth = PREFIX_GROWTH if self._looks_up_prefix else GROWTH
        return max(1, int(length_ms * min(growth, self._target / (match_count + 1))))
