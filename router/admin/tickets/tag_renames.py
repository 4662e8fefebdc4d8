"""Renames of tags whose posts are not updated yet: stored, so that an interruption leaves no post with the old name."""

from __future__ import annotations

import secrets

from router.store.database import QueryExecutor

MAX_RENAMES = 100  # read by one run of maintenance
_PREFIX = "tag_rename."  # of the names of the stored values


async def begin(transaction: QueryExecutor, tag_id: str) -> None:
    """Stores, in the transaction of a rename, that the posts show the old name. Replaces an earlier rename."""
    await transaction.execute("tag_rename_begin", name=_PREFIX + tag_id, value=secrets.token_hex(16))


async def find(executor: QueryExecutor, tag_id: str) -> str | None:
    """Returns the latest rename of a tag, unless it has ended."""
    row = await executor.fetch_one("installation_value", name=_PREFIX + tag_id)
    return None if row is None else row["value"]


async def end(executor: QueryExecutor, tag_id: str, rename: str) -> None:
    """Stores that the updates of all posts are queued, unless the tag was renamed again meanwhile."""
    await executor.execute("installation_delete", name=_PREFIX + tag_id, value=rename)


async def list_unfinished(executor: QueryExecutor) -> list[str]:
    """Returns the ids of tags in all workspaces whose rename has not ended."""
    rows = await executor.fetch_all("tag_rename_unfinished", limit=MAX_RENAMES)
    return [row["name"].removeprefix(_PREFIX) for row in rows]
