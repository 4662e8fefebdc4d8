"""Texts of tickets made anew from the raw mails, after the parser was improved. No status changes, nothing is sent.

Oldest first, a batch at a time, each mail in a transaction of its own: cut off anywhere it can be begun again, from
the time of the last one. A mail whose octets were erased keeps the text it has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from router.contents.store import ContentStore
from router.model import Micros
from router.store.database import Database

BATCH_SIZE = 100
# Asked for at once; how many are held in memory at once is the store's own bound.
MAX_CONCURRENT_MESSAGES = 4


@dataclass(frozen=True, slots=True)
class ReparseProgress:
    """How far it is. last: the id of the last message that was made anew."""

    message_count: int
    last_message_id: str


class ReparseService:
    """Who asks: `emailrouter reparse`."""

    def __init__(self, database: Database, contents: ContentStore) -> None:
        self._database = database
        self._contents = contents

    async def run(
        self, since: Micros, *, workspace_id: str | None, on_progress: Callable[[ReparseProgress], None]
    ) -> int:
        """Messages received since then, of one workspace or of all (None); returns how many. tell: after each batch."""
        done, after = 0, ""
        while True:
            rows = await self._database.fetch_all(
                "operator_reparse_batch", after=after, since=since, workspace_id=workspace_id, limit=BATCH_SIZE
            )
            if not rows:
                return done
            ids = [row["id"] for row in rows]
            for start in range(0, len(ids), MAX_CONCURRENT_MESSAGES):
                await asyncio.gather(
                    *(self._contents.parse(one, retry=True) for one in ids[start : start + MAX_CONCURRENT_MESSAGES])
                )
            done, after = done + len(ids), ids[-1]
            on_progress(ReparseProgress(done, after))
