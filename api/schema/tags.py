"""Models of tags."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import Field

from api.schema.shape import Answer, Body, NextCursor, Time, line
from router.admin.tickets.tag_rows import MAX_COUNTED, CountedTag
from router.admin.tickets.tags import MAX_NAME_LENGTH, MAX_TAGS_OF_TICKET
from router.tag import Tag

TagName = Annotated[str, line(MAX_NAME_LENGTH)]
Color = Annotated[str, Field(json_schema_extra={"pattern": "^(#[0-9A-Fa-f]{6})?$"})]


class TagAnswer(Answer):
    """A tag. `color` is `#rrggbb` or empty."""

    id: str
    name: str
    color: str
    ticket_count: int = Field(description=f"The number of tickets with this tag, at most {MAX_COUNTED}.")
    created_at: Time

    @classmethod
    def from_counted(cls, counted: CountedTag) -> Self:
        return cls.from_model(counted.tag, counted)


class TagList(Answer):
    """A page of tags, in alphabetical order."""

    tags: list[TagAnswer]
    next_cursor: NextCursor = None


class TagChange(Body):
    """The fields to change. An empty `color` removes the colour."""

    name: TagName | None = None
    color: Color | None = None


class TicketTagsChange(Body):
    """Names of tags to add to a ticket, and to remove from it."""

    add: list[TagName] = Field(
        default_factory=list, description=f"A ticket has at most {MAX_TAGS_OF_TICKET} tags. Repeated names count once."
    )
    remove: list[TagName] = Field(default_factory=list)


class TicketTags(Answer):
    """The tags of a ticket, in alphabetical order."""

    id: str
    tags: list[str]

    @classmethod
    def from_tags(cls, ticket_id: str, tags: Iterable[Tag]) -> Self:
        return cls(id=ticket_id, tags=[tag.name for tag in tags])
