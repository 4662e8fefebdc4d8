"""Canned responses and templates in the composer: the choices, and what the form contains after one is inserted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from api.dashboard.page import Visit
from router.errors import Refused
from router.model import Template, Ticket

TextGroups = Sequence[tuple[str, Sequence[tuple[str, str]]]]

INSERT = "insert"  # the field with the id of the text to insert
TEMPLATE = "templateId"  # the field with the id of the HTML template of the reply
_TEMPLATE_PREFIX, _CANNED_PREFIX = "tpl_", "can_"


async def list_texts(visit: Visit, ticket: Ticket) -> TextGroups:
    """Returns the texts for answers to a ticket as groups: their label, and (id, name) pairs."""
    canned = await visit.services.canned_responses.list_usable(visit.actor, ticket.alias_id)
    templates = await visit.services.templates.list_all(visit.actor)
    groups = (
        ("Canned responses", [(each.id, each.title) for each in canned]),
        ("Templates", [(each.id, each.name) for each in templates]),
    )
    return [group for group in groups if group[1]]


async def insert_text(visit: Visit, ticket: Ticket) -> Mapping[str, str]:
    """Returns the fields of the form that change when the chosen text is inserted.

    A text is appended. A template in HTML stays a template: the user writes only its editable part.
    """
    chosen = visit.form.get(INSERT, "")
    if chosen.startswith(_CANNED_PREFIX):
        response = await visit.services.canned_responses.render(visit.actor, chosen, ticket.id)
        return {"text": _append(visit, response.text)}
    if not chosen.startswith(_TEMPLATE_PREFIX):
        raise Refused("invalid_request", "Choose a saved text first", INSERT)
    template = await visit.services.templates.get(visit.actor, chosen)
    rendered = await visit.services.templates.render(visit.actor, chosen, ticket.id)
    changed = {"subject": rendered.subject} if rendered.subject else {}
    match template.mode:
        case "text":
            return {**changed, "text": _append(visit, rendered.text)}
        case "static_html":
            return {**changed, "text": rendered.text, TEMPLATE: template.id}
        case "editable_html":
            return {**changed, TEMPLATE: template.id}


async def find_template(visit: Visit, template_id: str) -> Template | None:
    """Returns the HTML template of a reply; None without one, or if it was deleted."""
    try:
        return await visit.services.templates.get(visit.actor, template_id) if template_id else None
    except Refused:
        return None


def _append(visit: Visit, text: str) -> str:
    written = visit.form.get("text", "").rstrip()
    return f"{written}\n\n{text}" if written else text
