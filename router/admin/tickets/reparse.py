"""Parses stored messages again, for example after an upgrade. Changes no ticket status and sends nothing.

Each message is stored in its own transaction, oldest first, so an interrupted run can be resumed. Messages
without raw content keep their text.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from router.contents.store import ContentStore
from router.model import Micros
from router.store.database import Database

BATCH_SIZE = 100
# As many as the content store parses at the same time.
MAX_CONCURRENT_MESSAGES = 4


@dataclass(frozen=True, slots=True)
class ReparseProgress:
    """The progress of a run."""

    message_count: int
    last_message_id: str


class ReparseService:
    """Parses messages of one or all workspaces again."""

    def __init__(self, database: Database, contents: ContentStore) -> None:
        self._database = database
        self._contents = contents

    async def run(
        self, since: Micros, *, workspace_id: str | None, on_progress: Callable[[ReparseProgress], None]
    ) -> int:
        """Returns the number of parsed messages.

        Without `workspace_id`, the messages of all workspaces are parsed. `on_progress` is called after each batch.
        """
        count, after = 0, ""
        while True:
            rows = await self._database.fetch_all(
                "operator_reparse_batch", after=after, since=since, workspace_id=workspace_id, limit=BATCH_SIZE
            )
            if not rows:
                return count
            ids = [row["id"] for row in rows]
            for start in range(0, len(ids), MAX_CONCURRENT_MESSAGES):
                await asyncio.gather(
                    *(
                        self._contents.parse(message_id, retry=True)
                        for message_id in ids[start : start + MAX_CONCURRENT_MESSAGES]
                    )
                )
            count, after = count + len(ids), ids[-1]
            on_progress(ReparseProgress(count, after))
