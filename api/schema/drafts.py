"""Models of drafts."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field

from api.schema.shape import Answer, Body, QueryParameters, Time, documented
from router.admin.tickets.drafts import Draft
from router.enumerations import DRAFT_KIND

Kind = Annotated[str, documented(DRAFT_KIND)]


class DraftParameters(QueryParameters):
    """Which draft."""

    kind: Kind = Field(description="What the draft becomes.")


class DraftSave(Body):
    """A draft."""

    kind: Kind
    """What the draft becomes."""
    text: Annotated[str, Field(json_schema_extra={"maxLength": 20000})]
    """Text so far. A blank text deletes the draft."""


class DraftAnswer(Answer):
    """A draft. Without one, the text is empty."""

    kind: Kind
    """What the draft becomes."""
    text: str
    """Text so far; empty without a draft."""
    saved_at: Time | None
    """When the draft was saved; null without a draft."""

    @classmethod
    def from_draft(cls, kind: str, draft: Draft | None) -> Self:
        return cls(kind=kind, text="", saved_at=None) if draft is None else cls.from_model(draft)
