"""Models of templates and canned responses."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from api.schema.shape import (
    Answer,
    Body,
    Id,
    Name,
    NextCursor,
    PageParameters,
    Time,
    documented,
    filter_parameters,
    line,
)
from router.admin.templates.canned_responses import MAX_BODY_LENGTH, MAX_TITLE_LENGTH
from router.admin.templates.templates import MAX_SUBJECT_LENGTH
from router.enumerations import TEMPLATE_MODE, TemplateMode
from router.filters import CannedResponseFilter, TextFilter
from router.replies.templates import MAX_TEXT_LENGTH

Subject = Annotated[str, Field(json_schema_extra={"maxLength": MAX_SUBJECT_LENGTH})]
TemplateBody = Annotated[str, Field(json_schema_extra={"minLength": 1, "maxLength": MAX_TEXT_LENGTH})]
TemplateModeName = Annotated[str, documented(TEMPLATE_MODE)]
Title = Annotated[str, line(MAX_TITLE_LENGTH)]
CannedBody = Annotated[str, Field(json_schema_extra={"minLength": 1, "maxLength": MAX_BODY_LENGTH})]


class TemplateAnswer(Answer):
    """A text for whole replies and for acknowledgements."""

    id: str
    """Id of the template (`tpl_...`)."""
    name: str
    """Name, unique in the workspace regardless of case."""
    subject: str
    """Subject; empty for that of the ticket."""
    body: str
    """Text or HTML with placeholders. HTML is sanitised."""
    mode: TemplateMode
    """What `body` is."""
    created_at: Time
    """When the template was created."""
    updated_at: Time
    """When the template was last changed."""


class TemplateList(Answer):
    """A page of templates."""

    templates: list[TemplateAnswer]
    """Templates, newest first."""
    next_cursor: NextCursor = None


TemplateListParameters = filter_parameters(
    "TemplateListParameters", "Parameters of the list of templates.", TextFilter, PageParameters
)


class TemplateCreate(Body):
    """A new template."""

    name: Name
    """Name, unique in the workspace regardless of case."""
    subject: Subject = ""
    """Subject with placeholders; empty for that of the ticket."""
    body: TemplateBody
    """Text or HTML with placeholders. HTML is sanitised; `editable_html` needs exactly one element with the attribute
    `data-editable`.
    """
    mode: TemplateModeName = "text"
    """What `body` is."""


class TemplateFields(Body):
    """Fields to change. Fields that are not given or null stay unchanged."""

    name: Name | None = None
    """New name, unique in the workspace regardless of case."""
    subject: Subject | None = None
    """New subject with placeholders; empty for that of the ticket."""
    body: TemplateBody | None = None
    """New text or HTML with placeholders."""
    mode: TemplateModeName | None = None
    """What `body` is."""


class TemplateRender(Body):
    """The ticket whose values the placeholders get."""

    ticket_id: str
    """Id or number of the ticket."""


class TemplateRendered(Answer):
    """A template with the values of a ticket."""

    subject: str
    """Subject; empty for that of the ticket."""
    text: str
    """Plain text. For HTML, what it reads like."""
    html: str
    """HTML; empty if the template is plain text."""
    missing: list[str]
    """Names of the placeholders that have no value and no fallback, in alphabetical order."""


class CannedResponseAnswer(Answer):
    """A text for a part of a reply."""

    id: str
    """Id of the canned response (`can_...`)."""
    alias_id: str | None
    """Alias whose answers can use it; null for all aliases."""
    title: str
    """Title, unique for its alias regardless of case."""
    body: str
    """Text with placeholders."""
    created_at: Time
    """When the canned response was created."""
    updated_at: Time
    """When the canned response was last changed."""


class CannedResponseList(Answer):
    """A page of canned responses."""

    canned_responses: list[CannedResponseAnswer]
    """Canned responses, newest first."""
    next_cursor: NextCursor = None


CannedResponseListParameters = filter_parameters(
    "CannedResponseListParameters", "Parameters of the list of canned responses.", CannedResponseFilter, PageParameters
)


class CannedResponseCreate(Body):
    """A new canned response."""

    title: Title
    """Title, unique for its alias regardless of case."""
    body: CannedBody
    """Text with placeholders."""
    alias_id: Id | None = None
    """Alias whose answers can use it; null for all aliases."""


class CannedResponseFields(Body):
    """Fields to change. Fields that are not given stay unchanged; `aliasId: null` selects all aliases."""

    title: Title | None = None
    """New title, unique for its alias regardless of case."""
    body: CannedBody | None = None
    """New text with placeholders."""
    alias_id: Id | None = None
    """Alias whose answers can use it; null for all aliases."""
