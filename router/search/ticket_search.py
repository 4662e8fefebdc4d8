"""Finds a page of tickets that match a search query and list filters, newest first.

The search proceeds in steps, until the page is full or all tickets are searched. Each step is one of two scans:

- **List scan**: reads the next tickets of the filtered list. Fast if most tickets match.
- **Index scan**: reads the matches of a time range from the search index. Fast if few tickets match.

Later steps use the scan that covers the longer time range for the same work. The choice of scans does not change the
result. No state is kept between pages.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from router import ids
from router.filters import TicketFilter
from router.search.terms import SLOT_BITS, SearchQuery
from router.store.database import Database, Row

# List scan: the first step reads `FIRST_SCAN_PAGES` pages of tickets, most later steps read `SCAN_SIZE` tickets.
FIRST_SCAN_PAGES, SCAN_SIZE = 4, 1000
# Index scan: a step aims at a number of matches, first `TARGET_PAGES` pages, later up to `MAX_TARGET` matches. A time
# range with more than `EXCESS_FACTOR` times the target is reduced.
TARGET_PAGES, MAX_TARGET, EXCESS_FACTOR = 2, 10_000, 4
# The maximum factor by which the time range grows in one step, without and with a prefix. In every step, PostgreSQL
# reads all words that start with the prefix, so few large steps are faster.
MAX_GROWTH, MAX_PREFIX_GROWTH = 8, 64
# A prefix is not looked up in the index if it matches over `PREFIX_EXCESS` times as many tickets as the other words.
PREFIX_EXCESS = 8
# Without a prefix, one index scan covers at most a quarter of the time range to search, because PostgreSQL reads the
# whole range of the scan before it returns a match.
RANGE_FRACTION = 4
UNBOUNDED = 2**40


class TicketSearch:
    """One search in one workspace."""

    def __init__(
        self, database: Database, workspace_id: str, search_query: SearchQuery, ticket_filter: TicketFilter, limit: int
    ) -> None:
        self._database = database
        self._search_query = search_query
        self._index_parameter = search_query.to_json()
        self._uses_prefix = bool(search_query.prefix)
        self._match_counts = Counter[str]()  # scanned tickets that match, by part of the query
        self._filters = {"workspace_id": workspace_id, **ticket_filter.parameters()}
        # The alias is the only filter that the index contains.
        self._has_unindexed_filter = replace(ticket_filter, alias_id=None, q=None) != TicketFilter()
        self._limit = limit
        self._rows: list[Row] = []
        self._before = ""  # all tickets with this or a larger id have been searched
        self._list_density = 0.0  # milliseconds per ticket in the last list scan
        self._range_ms = 0  # milliseconds that the next index scan covers
        self._target_matches = TARGET_PAGES * limit
        self._dense_since = 0  # start (in milliseconds) of the last range with too many matches

    async def find_newest(self, before: str) -> Sequence[Row]:
        """Returns the newest matching tickets before an id, as rows of `tickets`."""
        self._before = before
        more = await self._scan_list(FIRST_SCAN_PAGES * self._limit)
        if not more or self._is_full():
            return self._rows
        if (
            self._uses_prefix
            and self._search_query.complete
            and PREFIX_EXCESS * self._match_counts["complete"] < self._match_counts["prefix"]
        ):
            self._index_parameter, self._uses_prefix = self._search_query.to_json(complete_only=True), False
        if self._uses_prefix:
            more = await self._scan_list(
                SCAN_SIZE if self._has_unindexed_filter else 2 * FIRST_SCAN_PAGES * self._limit
            )
        oldest = await self._database.fetch_one("search_oldest", workspace_id=self._filters["workspace_id"])
        end_ms = ids.timestamp_ms(self._before if oldest is None else oldest["id"])
        longest_ms = max(1, (ids.timestamp_ms(self._before) - end_ms) // (1 if self._uses_prefix else RANGE_FRACTION))
        while more and not self._is_full():
            if self._range_ms < self._list_density * self._target_matches:
                # Words that are common here may be rare in older tickets, so the index scan is tried eventually.
                self._range_ms *= 2
                more = await self._scan_list(SCAN_SIZE)
            else:
                more = await self._scan_index(end_ms, longest_ms)
        return self._rows

    def _is_full(self) -> bool:
        return len(self._rows) >= self._limit

    async def _scan_list(self, limit: int) -> bool:
        """Runs one list scan; returns False at the end of the list."""
        rows = await self._database.fetch_all("ticket_page", **self._filters, before=self._before, limit=limit)
        if not rows:
            return False
        ids_json = json.dumps([row["id"] for row in rows])
        matches = await self._database.fetch_all("search_match_tickets", ids=ids_json, criteria=self._index_parameter)
        for part in ("complete", "prefix"):
            self._match_counts[part] += sum(row[part] for row in matches)
        matching = {row["ticket_id"] for row in matches if row["complete"] and row["prefix"]}
        self._add([row for row in rows if row["id"] in matching])
        length = max(1, ids.timestamp_ms(rows[0]["id"]) - ids.timestamp_ms(rows[-1]["id"]))
        self._list_density, self._before = length / len(rows), rows[-1]["id"]
        if not self._range_ms:
            self._range_ms = self._next_range(length, len(matching))
        return len(rows) == limit

    async def _scan_index(self, end_ms: int, longest_ms: int) -> bool:
        """Runs one index scan. After too many matches, only reduces the range for the next index scan.

        Returns False once all tickets are searched.
        """
        newest_ms = ids.timestamp_ms(self._before)
        range_ms = min(self._range_ms, longest_ms)
        since_ms = max(end_ms, newest_ms - range_ms)
        match_limit = EXCESS_FACTOR * self._target_matches if range_ms > 1 else UNBOUNDED
        rows = await self._database.fetch_all(
            "search_range",
            **self._filters,
            unindexed_filter=self._has_unindexed_filter,
            criteria=self._index_parameter,
            since=since_ms << SLOT_BITS,
            until=newest_ms + 1 << SLOT_BITS,
            max_hits=match_limit,
            before=self._before,
            limit=self._limit,
        )
        match_count = rows[0]["hits"]
        if match_count > match_limit:
            self._dense_since, self._range_ms = since_ms, max(1, range_ms // 4)
            return True
        self._add([row for row in rows if row["id"] is not None])
        self._before = ids.first_id_at("ticket", since_ms)
        if match_count or not self._has_unindexed_filter:
            self._target_matches = min(2 * self._target_matches, MAX_TARGET)
        next_range = self._next_range(range_ms, match_count)
        if self._dense_since < since_ms:  # slower growth: the next range may overlap one with too many matches
            next_range = min(next_range, max(range_ms, (since_ms - self._dense_since) // 2))
        self._range_ms = next_range
        return since_ms > end_ms

    def _next_range(self, range_ms: int, match_count: int) -> int:
        growth = MAX_PREFIX_GROWTH if self._uses_prefix else MAX_GROWTH
        return max(1, int(range_ms * min(growth, self._target_matches / (match_count + 1))))

    def _add(self, rows: Sequence[Row]) -> None:
        self._rows += rows[: self._limit - len(self._rows)]
