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
from router.search.terms import SLOT_BITS, Question
from router.store.database import Database, Row

# Along the list: first so many pages' worth, then so many tickets a step.
PAGES, LISTED = 4, 1000
# By the words: so many pages' worth of hits are aimed at first, twice as many from step to step, never more than this;
# and so many times what is aimed at is too many.
HITS, MOST_HITS, TOO_MANY = 2, 10_000, 4
# How much longer a stretch may get from step to step. A begun word costs PostgreSQL the reading of all words that it
# begins, whatever the stretch: so with one there are few long ones.
GROWTH, GROWTH_BEGUN = 8, 64
# By the words: the whole ones first where so many times more tickets have the begun one.
MORE_BEGUN = 8
# The longest stretch is this part of all there is: PostgreSQL looks at all of it before it tells a hit.
LONGEST = 4
UNBOUNDED = 2**40


class Search:
    """One search over one workspace."""

    def __init__(
        self, database: Database, question: Question, query: str, narrowed: Mapping[str, object], most: int
    ) -> None:
        """query, narrowed: the plain list's query by name and its filters. most: how many tickets are wanted."""
        self._database = database
        self._question = question
        self._asked = question.as_json()
        self._begun = bool(question.begun)  # whether the index is asked for a begun word
        self._having = Counter[str]()  # how many of those looked at had the whole words, how many the begun one
        self._query = query
        self._narrowed = narrowed
        # The words say the alias; what else a list is narrowed to is looked up for each hit.
        self._looked_up = any(narrowed[name] is not None for name in ("status", "assigned_to"))
        self._most = most
        self._found: list[Row] = []
        self._before = ""  # everything from this id on is done
        self._listed = 0.0  # milliseconds for each ticket that the last step along the list looked at
        self._stretch = 0  # milliseconds that the next step by the words goes over
        self._aim = HITS * most  # hits that these are to hold
        self._dense = 0  # a moment: from there to what is done there were too many hits

    async def newest(self, before: str) -> Sequence[Row]:
        """The newest `most` tickets before an id, as rows of `tickets`."""
        self._before = before
        more = await self._along_the_list(PAGES * self._most)
        if not more or self._full():
            return self._found
        if self._begun and self._question.whole and MORE_BEGUN * self._having["whole"] < self._having["begun"]:
            self._asked, self._begun = self._question.as_json(by_whole=True), False
        if self._begun:
            more = await self._along_the_list(LISTED if self._looked_up else 2 * PAGES * self._most)
        oldest = await self._database.fetch_one("search_oldest", workspace_id=self._narrowed["workspace_id"])
        end = ids.moment(self._before if oldest is None else oldest["id"])
        longest = max(1, (ids.moment(self._before) - end) // (1 if self._begun else LONGEST))
        while more and not self._full():
            if self._stretch < self._listed * self._aim:
                self._stretch *= 2  # words that are common here may be rare further on
                more = await self._along_the_list(LISTED)
            else:
                more = await self._by_the_words(end, longest)
        return self._found

    def _full(self) -> bool:
        return len(self._found) >= self._most

    async def _along_the_list(self, most: int) -> bool:
        """One step; False at the end of the list."""
        rows = await self._database.fetch_all(self._query, **self._narrowed, before=self._before, limit=most)
        if not rows:
            return False
        listed = json.dumps([row["id"] for row in rows])
        having = await self._database.fetch_all("search_match_tickets", ids=listed, criteria=self._asked)
        for part in ("whole", "begun"):
            self._having[part] += sum(row[part] for row in having)
        those = {row["ticket_id"] for row in having if row["whole"] and row["begun"]}
        self._take([row for row in rows if row["id"] in those])
        length = max(1, ids.moment(rows[0]["id"]) - ids.moment(rows[-1]["id"]))
        self._listed, self._before = length / len(rows), rows[-1]["id"]
        if not self._stretch:
            self._stretch = self._sized(length, len(those))
        return len(rows) == most

    async def _by_the_words(self, end: int, longest: int) -> bool:
        """One step, or none but a shorter stretch for the next one; False when it came to the end."""
        newest = ids.moment(self._before)
        stretch = min(self._stretch, longest)
        since = max(end, newest - stretch)
        bound = TOO_MANY * self._aim if stretch > 1 else UNBOUNDED
        rows = await self._database.fetch_all(
            "search_range",
            **self._narrowed,
            criteria=self._asked,
            since=since << SLOT_BITS,
            until=newest + 1 << SLOT_BITS,
            max_hits=bound,
            before=self._before,
            limit=self._most,
        )
        hits = rows[0]["hits"]
        if hits > bound:
            self._dense, self._stretch = since, max(1, stretch // 4)
            return True
        self._take([row for row in rows if row["id"] is not None])
        self._before = ids.first("ticket", since)
        if hits or not self._looked_up:
            self._aim = min(2 * self._aim, MOST_HITS)
        grown = self._sized(stretch, hits)
        if self._dense < since:  # towards the hits that were too many in halves
            grown = min(grown, max(stretch, (since - self._dense) // 2))
        self._stretch = grown
        return since > end

    def _sized(self, stretch: int, hits: int) -> int:
        """How long the next stretch is to be after one of this length with so many hits."""
        growth = GROWTH_BEGUN if self._begun else GROWTH
        return max(1, int(stretch * min(growth, self._aim / (hits + 1))))

    def _take(self, rows: Sequence[Row]) -> None:
        self._found += rows[: self._most - len(self._found)]
