"""Parses stored messages again, for example after an upgrade. Changes no ticket status and sends nothing.

Batches are parsed oldest first, and each message is stored in its own transaction. Messages without raw content keep
their text.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from router.contents.store import ContentStore
from router.model import Micros
from router.store.database import Database

BATCH_SIZE = 100
# Equal to the number of messages that the content store parses concurrently.
MAX_CONCURRENT_MESSAGES = 4


@dataclass(frozen=True, slots=True)
class ReparseProgress:
    """The number of messages parsed so far, and the id of the last one."""

    message_count: int
    last_message_id: str


class ReparseService:
    def __init__(self, database: Database, contents: ContentStore) -> None:
        self._database = database
        self._contents = contents

    async def run(
        self, since: Micros, *, workspace_id: str | None, on_progress: Callable[[ReparseProgress], None]
    ) -> int:
        """Parses the messages received at or after `since`, and returns their number.

        Args:
            workspace_id: The workspace of the messages; None for all workspaces.
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
