"""Models of tags."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import Field

from api.schema.shape import Answer, Body, NextCursor, PageParameters, Time, filter_parameters, line
from router.admin.tickets.tag_names import MAX_NAME_LENGTH
from router.admin.tickets.tag_rows import MAX_COUNTED, CountedTag
from router.admin.tickets.tags import MAX_TAGS_OF_TICKET
from router.filters import TextFilter
from router.tag import Tag

TagName = Annotated[str, line(MAX_NAME_LENGTH)]
Color = Annotated[str, Field(json_schema_extra={"pattern": "^(#[0-9A-Fa-f]{6})?$"})]


class TagAnswer(Answer):
    """A tag of the workspace."""

    id: str
    """Id of the tag (`tag_...`)."""
    name: str
    """Name, unique in the workspace regardless of case."""
    color: str
    """Colour as `#rrggbb`; empty without one."""
    ticket_count: int = Field(description=f"Counts at most {MAX_COUNTED}.")
    """Number of tickets with this tag, also of those held as spam."""
    created_at: Time
    """When the tag was created."""

    @classmethod
    def from_counted(cls, counted: CountedTag) -> Self:
        return cls.from_model(counted.tag, counted)


class TagList(Answer):
    """A page of tags, in alphabetical order."""

    tags: list[TagAnswer]
    """Tags, in alphabetical order."""
    next_cursor: NextCursor = None


TagListParameters = filter_parameters(
    "TagListParameters", "Parameters of the list of tags.", TextFilter, PageParameters
)


class TagChange(Body):
    """Fields to change. Fields that are not given or null stay unchanged."""

    name: TagName | None = None
    """New name. The name of another tag merges the two."""
    color: Color | None = None
    """Colour as `#rrggbb`; empty removes it."""


class TicketTagsChange(Body):
    """Names of tags to add to a ticket, and to remove from it."""

    add: list[TagName] = Field(
        default_factory=list, description=f"A ticket has at most {MAX_TAGS_OF_TICKET} tags. Repeated names count once."
    )
    """Names of tags to add. An unknown name creates the tag."""
    remove: list[TagName] = Field(default_factory=list)
    """Names of tags to remove. Names that the ticket does not have are ignored."""


class TicketTags(Answer):
    """The tags of a ticket, in alphabetical order."""

    id: str
    """Id of the ticket (`ticket_...`)."""
    tags: list[str]
    """Names of the tags of the ticket, in alphabetical order."""

    @classmethod
    def from_tags(cls, ticket_id: str, tags: Iterable[Tag]) -> Self:
        return cls(id=ticket_id, tags=[tag.name for tag in tags])
