"""Caches the sender lists of the workspaces until they are invalidated."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from router.routing.facts import read_sender_lists
from router.routing.sender_lists import SenderLists
from router.store.database import Database

# Entries of all cached lists together; an entry takes about 200 bytes. The list that was used last is always cached.
MAX_CACHED_ENTRIES = 200_000


class SenderListCache:
    """Reads the lists of each workspace once, even if many sessions need them at the same time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lists: OrderedDict[str, SenderLists] = OrderedDict()  # by workspace id, the least recently used first
        self._size = 0
        self._queries: dict[str, asyncio.Task[SenderLists]] = {}

    async def get(self, workspace_id: str) -> SenderLists:
        cached = self._lists.get(workspace_id)
        if cached is not None:
            self._lists.move_to_end(workspace_id)
            return cached
        query = self._queries.get(workspace_id)
        if query is None:
            query = asyncio.get_running_loop().create_task(read_sender_lists(self._database, workspace_id))
            self._queries[workspace_id] = query
            query.add_done_callback(lambda task: self._keep(workspace_id, task))
        # Shielded: a cancelled session must not cancel the query for other sessions.
        return await asyncio.shield(query)

    def invalidate(self) -> None:
        self._lists.clear()
        self._size = 0
        self._queries.clear()  # their results may predate the change

    def _keep(self, workspace_id: str, query: asyncio.Task[SenderLists]) -> None:
        if self._queries.get(workspace_id) is not query:
            return
        del self._queries[workspace_id]
        if query.cancelled() or query.exception() is not None:
            return
        self._lists[workspace_id] = query.result()
        self._size += query.result().size
        while self._size > MAX_CACHED_ENTRIES and len(self._lists) > 1:
            self._size -= self._lists.popitem(last=False)[1].size
