"""Templates and canned responses: which are valid, and what they become for a ticket. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from router.errors import Refused
from router.mail.compose.template_html import EDITABLE, count_editable, fill_editable
from router.mail.html_text import sanitized_to_text
from router.model import Template
from router.replies import placeholders

MAX_TEXT_LENGTH = 100_000  # of a body in characters, as of a reply
# Values make a rendered text longer than its template.
_MAX_RENDERED = MAX_TEXT_LENGTH + placeholders.MAX_PLACEHOLDERS * placeholders.MAX_VALUE_LENGTH


@dataclass(frozen=True, slots=True)
class RenderedTemplate:
    """A template for one ticket.

    Attributes:
        subject: `""` for the subject of the ticket.
        text: The text, or what the HTML reads like.
        html: `""` for plain text.
        missing: The placeholders without a value and without a fallback, sorted.
    """

    subject: str
    text: str
    html: str
    missing: tuple[str, ...]


def check_template(template: Template) -> None:
    """Raises `unknown_placeholder`, or another error if the sanitised HTML does not fit its mode."""
    placeholders.validate(template.subject, "subject")
    body, is_editable = template.body, template.mode == "editable_html"
    if template.mode == "text":
        placeholders.validate(body, "body")
        return
    if len(body) > MAX_TEXT_LENGTH:
        raise Refused("invalid_request", f"body must not be longer than {MAX_TEXT_LENGTH} characters", "body")
    if not sanitized_to_text(body, len(body)).strip() and not is_editable:
        raise Refused("invalid_request", "body has no text", "body")
    if is_editable and (count := count_editable(body)) != 1:
        problem = f"body must have exactly one element with {EDITABLE}, which contains text: it has {count}"
        raise Refused("invalid_request", problem, "body")
    placeholders.validate(body, "body", html=True)


def render_template(template: Template, values: Mapping[str, str], *, text: str = "") -> RenderedTemplate:
    """Renders a checked template.

    Args:
        values: The values of the placeholders by name.
        text: What a user wrote: the content of the editable element. `""` keeps that of the template.
    """
    subject = placeholders.render(template.subject, values)
    body = placeholders.render(template.body, values, html=template.mode != "text")
    missing = tuple(sorted({*subject.missing, *body.missing}))
    if template.mode == "text":
        return RenderedTemplate(subject.text, body.text, "", missing)
    html = fill_editable(body.text, text_to_html(text)) if text else body.text
    return RenderedTemplate(subject.text, sanitized_to_text(html, _MAX_RENDERED), html, missing)


def text_to_html(text: str) -> str:
    """Returns the paragraphs of a plain text as HTML."""
    paragraphs = (escape(paragraph) for paragraph in text.strip("\n").split("\n\n"))
    return "".join(f"<p>{paragraph.strip(chr(10)).replace(chr(10), '<br>')}</p>" for paragraph in paragraphs)
