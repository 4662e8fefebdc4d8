"""Models of drafts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import Field

from api.schema.replies import UploadAnswer
from api.schema.shape import Answer, Body, QueryParameters, Time, documented
from router.admin.tickets.drafts import Draft
from router.enumerations import DRAFT_KIND
from router.model import Upload

Kind = Annotated[str, documented(DRAFT_KIND)]


_Entries = Annotated[list[str], Field(json_schema_extra={"maxItems": 20})]


class DraftParameters(QueryParameters):
    """Which draft."""

    kind: Kind = Field(description="What the draft becomes.")


class DraftSave(Body):
    """A draft."""

    kind: Kind
    """What the draft becomes."""
    text: Annotated[str, Field(json_schema_extra={"maxLength": 100000})]
    """Text so far; of a note at most 20,000 characters. A draft without text, HTML and attachments is deleted."""
    html: Annotated[str, Field(json_schema_extra={"maxLength": 300000})] = ""
    """HTML so far. Only replies have this and the following fields."""
    to: _Entries = Field(default_factory=list)
    """Addresses in To, also incomplete ones."""
    cc: _Entries = Field(default_factory=list)
    """Addresses in Cc."""
    bcc: _Entries = Field(default_factory=list)
    """Addresses in Bcc."""
    attachments: _Entries = Field(default_factory=list)
    """Ids of uploads (`upl_...`)."""


class DraftAnswer(Answer):
    """A draft. Without one, the text is empty."""

    kind: Kind
    """What the draft becomes."""
    text: str
    """Text so far; empty without a draft."""
    html: str = ""
    """HTML so far."""
    to: list[str] = Field(default_factory=list)
    """Addresses in To, as they were saved."""
    cc: list[str] = Field(default_factory=list)
    """Addresses in Cc."""
    bcc: list[str] = Field(default_factory=list)
    """Addresses in Bcc."""
    attachments: list[UploadAnswer] = Field(default_factory=list)
    """Uploads of the draft that still exist."""
    saved_at: Time | None
    """When the draft was saved; null without a draft."""

    @classmethod
    def from_draft(cls, kind: str, draft: Draft | None, uploads: Sequence[Upload] = ()) -> Self:
        if draft is None:
            return cls(kind=kind, text="", saved_at=None)
        return cls.from_model(draft, attachments=[UploadAnswer.from_model(upload) for upload in uploads])
