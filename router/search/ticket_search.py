"""A page of the tickets that have all words of a question, newest first, however the list is narrowed.

It walks from the newest ticket to the oldest in steps, each over a whole stretch of ids, until the page is full:

- **along the list**: the next tickets that the plain list has, by its own indexes, and of these the ones that have the
  words. Short where most have the words, and where the list is narrowed to few.
- **by the words**: all tickets of a stretch of time that have the words, from the index of words, and of these the ones
  that the list is narrowed to. Short where few have the words. The stretches grow while they hold few hits; one that
  holds too many is made shorter and asked again.

The next step is the way that comes further for the same work. Which way was taken makes no difference to the answer:
order and cursors are those of the plain list. Nothing is remembered from page to page.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence

from router import ids
from router.search.terms import SLOT_BITS, SearchQuery
from router.store.database import Database, Row

# Along the list: first so many pages' worth, then so many tickets a step.
FIRST_SCAN_PAGES, SCAN_SIZE = 4, 1000
# By the words: so many pages' worth of hits are aimed at first, twice as many from step to step, never more than this;
# and so many times what is aimed at is too many.
TARGET_PAGES, MAX_TARGET, EXCESS_FACTOR = 2, 10_000, 4
# How much longer a stretch may get from step to step. A begun word costs PostgreSQL the reading of all words that it
# begins, whatever the stretch: so with one there are few long ones.
MAX_GROWTH, MAX_PREFIX_GROWTH = 8, 64
# By the words: the whole ones first where so many times more tickets have the begun one.
PREFIX_EXCESS = 8
# The longest stretch is this part of all there is: PostgreSQL looks at all of it before it tells a hit.
RANGE_FRACTION = 4
UNBOUNDED = 2**40


class TicketSearch:
    """One search over one workspace."""

    def __init__(
        self, database: Database, search_query: SearchQuery, list_query: str, filters: Mapping[str, object], limit: int
    ) -> None:
        """query, narrowed: the plain list's query by name and its filters. most: how many tickets are wanted."""
        self._database = database
        self._search_query = search_query
        self._index_parameter = search_query.to_json()
        self._uses_prefix = bool(search_query.prefix)  # whether the index is asked for a begun word
        self._match_counts = Counter[str]()  # how many of those looked at had the whole words, how many the begun one
        self._list_query = list_query
        self._filters = filters
        # The words say the alias; what else a list is narrowed to is looked up for each hit.
        self._has_unindexed_filter = any(filters[name] is not None for name in ("status", "assigned_to"))
        self._limit = limit
        self._rows: list[Row] = []
        self._before = ""  # everything from this id on is done
        self._list_density = 0.0  # milliseconds for each ticket that the last step along the list looked at
        self._range = 0  # milliseconds that the next step by the words goes over
        self._target_matches = TARGET_PAGES * limit  # hits that these are to hold
        self._dense_since = 0  # a moment: from there to what is done there were too many hits

    async def find_newest(self, before: str) -> Sequence[Row]:
        """The newest `most` tickets before an id, as rows of `tickets`."""
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
            if self._range < self._list_density * self._target_matches:
                self._range *= 2  # words that are common here may be rare further on
                more = await self._scan_list(SCAN_SIZE)
            else:
                more = await self._scan_index(end_ms, longest_ms)
        return self._rows

    def _is_full(self) -> bool:
        return len(self._rows) >= self._limit

    async def _scan_list(self, limit: int) -> bool:
        """One step; False at the end of the list."""
        rows = await self._database.fetch_all(self._list_query, **self._filters, before=self._before, limit=limit)
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
        if not self._range:
            self._range = self._next_range(length, len(matching))
        return len(rows) == limit

    async def _scan_index(self, end_ms: int, longest_ms: int) -> bool:
        """One step, or none but a shorter stretch for the next one; False when it came to the end."""
        newest_ms = ids.timestamp_ms(self._before)
        range_ms = min(self._range, longest_ms)
        since_ms = max(end_ms, newest_ms - range_ms)
        match_limit = EXCESS_FACTOR * self._target_matches if range_ms > 1 else UNBOUNDED
        rows = await self._database.fetch_all(
            "search_range",
            **self._filters,
            criteria=self._index_parameter,
            since=since_ms << SLOT_BITS,
            until=newest_ms + 1 << SLOT_BITS,
            max_hits=match_limit,
            before=self._before,
            limit=self._limit,
        )
        match_count = rows[0]["hits"]
        if match_count > match_limit:
            self._dense_since, self._range = since_ms, max(1, range_ms // 4)
            return True
        self._add([row for row in rows if row["id"] is not None])
        self._before = ids.first_id_at("ticket", since_ms)
        if match_count or not self._has_unindexed_filter:
            self._target_matches = min(2 * self._target_matches, MAX_TARGET)
        next_range = self._next_range(range_ms, match_count)
        if self._dense_since < since_ms:  # towards the hits that were too many in halves
            next_range = min(next_range, max(range_ms, (since_ms - self._dense_since) // 2))
        self._range = next_range
        return since_ms > end_ms

    def _next_range(self, range_ms: int, match_count: int) -> int:
        """How long the next stretch is to be after one of this length with so many hits."""
        growth = MAX_PREFIX_GROWTH if self._uses_prefix else MAX_GROWTH
        return max(1, int(range_ms * min(growth, self._target_matches / (match_count + 1))))

    def _add(self, rows: Sequence[Row]) -> None:
        self._rows += rows[: self._limit - len(self._rows)]
