"""Merges of tags: their targets are stored, so that no two merges work against each other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from router.admin.tickets.tag_rows import update
from router.errors import Refused
from router.model import Actor
from router.store.database import QueryExecutor, fetch_model, fetch_models
from router.tag import Tag


async def begin(transaction: QueryExecutor, actor: Actor, tag: Tag, other: Tag) -> None:
    """Stores that a tag is being merged into another one. The caller has locked the tag and the workspace."""
    for each in (tag, other):
        target = await _fetch_target(transaction, actor, each)
        if target is not None and (each, target.id) != (tag, other.id):
            raise _unfinished_error(each, target)
    source = await fetch_model(transaction, Tag, "tag_merging_into", id=tag.id, workspace_id=actor.workspace_id)
    if source is not None:
        raise _unfinished_error(source, tag)
    await update(transaction, replace(tag, merged_into=other.id))


async def require_none(transaction: QueryExecutor, actor: Actor, tag: Tag) -> None:
    """Raises `conflict` if the tag is being merged into another one."""
    target = await _fetch_target(transaction, actor, tag)
    if target is not None:
        raise _unfinished_error(tag, target)


async def lock_targets(transaction: QueryExecutor, actor: Actor, tags: Sequence[Tag]) -> list[Tag]:
    """Replaces each tag that is being merged by the target, which is locked so that it is not deleted."""
    target_ids = sorted({tag.merged_into for tag in tags if tag.merged_into is not None})
    if not target_ids:
        return list(tags)
    found = await fetch_models(
        transaction, Tag, "tag_lock_by_ids", workspace_id=actor.workspace_id, ids=json.dumps(target_ids)
    )
    targets: dict[str | None, Tag] = {tag.id: tag for tag in found}
    return list(dict.fromkeys(targets.get(tag.merged_into, tag) for tag in tags))


async def _fetch_target(transaction: QueryExecutor, actor: Actor, tag: Tag) -> Tag | None:
    """Returns the tag into which a tag is being merged. There is none if it was deleted."""
    if tag.merged_into is None:
        return None
    return await fetch_model(
        transaction, Tag, "tag_by_id", id=tag.merged_into, workspace_id=actor.workspace_id, max_counted=1
    )


def _unfinished_error(tag: Tag, target: Tag) -> Refused:
    return Refused(
        "conflict", f"The tag {tag.name} is being merged into {target.name}: repeat this merge to finish it", "name"
    )
