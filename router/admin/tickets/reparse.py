"""Parses stored messages again, for example after an upgrade. Changes no ticket status and sends nothing.

Messages are read in batches, oldest first; each message is stored in its own transaction. After an interruption, the
work can be resumed from the time of the last message. A message whose raw content was erased keeps its text.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from router.contents.store import ContentStore
from router.model import Micros
from router.store.database import Database

BATCH_SIZE = 100
# The content store parses this many messages at the same time; further messages would wait.
MAX_CONCURRENT_MESSAGES = 4


@dataclass(frozen=True, slots=True)
class ReparseProgress:
    """The progress of a run. `message_count` is the number of messages parsed so far."""

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
        """Parses messages again and returns their number.

        Args:
            since: The earliest time of receipt.
            workspace_id: None for all workspaces.
            on_progress: Called after each batch.
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
