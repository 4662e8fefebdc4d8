"""Reads, locks and changes the rows of tags."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from router.errors import not_found_error
from router.model import Actor
from router.store.database import QueryExecutor, Row, fetch_model, fetch_models, model_from_row
from router.tag import Tag

MAX_COUNTED = 1000  # tickets that are counted for a tag


@dataclass(frozen=True, slots=True)
class CountedTag:
    """A tag, and the number of its tickets, at most `MAX_COUNTED`."""

    tag: Tag
    ticket_count: int

    @property
    def is_capped(self) -> bool:
        """Whether the tag may have more tickets than were counted."""
        return self.ticket_count >= MAX_COUNTED


def counted_tag(row: Row) -> CountedTag:
    return CountedTag(model_from_row(Tag, row), row["tickets"])


async def find_by_key(
    executor: QueryExecutor, actor: Actor, key: str, *, max_counted: int = MAX_COUNTED
) -> CountedTag | None:
    row = await executor.fetch_one("tag_by_key", workspace_id=actor.workspace_id, name_key=key, max_counted=max_counted)
    return None if row is None else counted_tag(row)


async def lock(transaction: QueryExecutor, actor: Actor, tag_id: str) -> Tag:
    tag = await fetch_model(transaction, Tag, "tag_lock", id=tag_id, workspace_id=actor.workspace_id)
    if tag is None:
        raise not_found_error("Tag")
    return tag


async def lock_by_keys(transaction: QueryExecutor, actor: Actor, keys: Iterable[str]) -> list[Tag]:
    return await fetch_models(
        transaction, Tag, "tag_lock_by_keys", workspace_id=actor.workspace_id, keys=json.dumps(sorted(keys))
    )


async def update(transaction: QueryExecutor, tag: Tag) -> None:
    await transaction.execute(
        "tag_update", id=tag.id, name=tag.name, name_key=tag.name_key, color=tag.color, merged_into=tag.merged_into
    )


async def read_tags(executor: QueryExecutor, ticket_ids: Sequence[str]) -> Mapping[str, tuple[Tag, ...]]:
    """Returns the tags of each ticket in alphabetical order."""
    tags: dict[str, tuple[Tag, ...]] = {}
    for row in await executor.fetch_all("tag_by_tickets", ids=json.dumps(ticket_ids)):
        tags[row["ticket_id"]] = (*tags.get(row["ticket_id"], ()), model_from_row(Tag, row))
    return tags
