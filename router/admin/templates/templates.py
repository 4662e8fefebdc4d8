"""The templates of a workspace: texts for whole replies and for acknowledgements.

Agents use them, and only admins change them. Changing or deleting a template changes no mail that was sent.
"""

from __future__ import annotations

import builtins
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import Protocol

from router import ids
from router.admin import audit, validation
from router.admin.fetch import fetch_by_id, fetch_page
from router.admin.paging import DEFAULT_LIMIT, Page
from router.admin.templates.ticket_values import TicketValues
from router.clock import Clock
from router.enumerations import TEMPLATE_MODE
from router.errors import Refused, not_found_error
from router.filters import TextFilter
from router.model import Actor, Template
from router.replies.templates import MAX_TEXT_LENGTH, RenderedTemplate, check_template, render_template
from router.store.database import Database, QueryExecutor, fetch_models, retry_on_conflict
from router.store.fragments import model_values
from router.tag import caseless_key

MAX_TEMPLATES = 200  # for each workspace
MAX_SUBJECT_LENGTH = 250
_ALL_TEMPLATES = TextFilter()


class SanitizeTemplate(Protocol):
    """Sanitises the HTML of a template; returns None if it is too complex (`router.contents.pool.Parser`)."""

    def __call__(self, html: str, *, is_editable: bool) -> Awaitable[str | None]: ...


@dataclass(frozen=True, slots=True)
class TemplateChange:
    """The fields of a template that are set. None keeps a value; without a subject, it is `""`."""

    name: str | None = None
    subject: str | None = None
    body: str | None = None
    mode: str | None = None


class TemplateService:
    """Manages the templates of the actor's workspace. Their names are unique regardless of case."""

    def __init__(self, database: Database, clock: Clock, sanitize: SanitizeTemplate, *, link_base: str | None) -> None:
        self._database = database
        self._sanitize = sanitize
        self._clock = clock
        self._values = TicketValues(database, clock, link_base=link_base)

    async def list(
        self,
        actor: Actor,
        template_filter: TextFilter = _ALL_TEMPLATES,
        *,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
    ) -> Page[Template]:
        return await fetch_page(
            self._database, actor, Template, "template_page", limit=limit, cursor=cursor, **template_filter.parameters()
        )

    async def list_all(self, actor: Actor) -> builtins.list[Template]:
        """Lists the templates in alphabetical order."""
        found = await fetch_models(self._database, Template, "template_list", workspace_id=actor.workspace_id)
        return sorted(found, key=lambda template: caseless_key(template.name))

    async def get(self, actor: Actor, template_id: str) -> Template:
        return await fetch_by_id(self._database, actor, Template, "template_by_id", template_id)

    async def find(self, actor: Actor, name_or_id: str) -> Template:
        """Returns the template with an id or a name. An id takes precedence over a name that equals it."""
        found = await self.list_all(actor)
        key = caseless_key(name_or_id)
        matches = [each for each in found if each.id == name_or_id] or [
            each for each in found if caseless_key(each.name) == key
        ]
        if not matches:
            raise not_found_error("Template")
        return matches[0]

    @retry_on_conflict
    async def create(
        self, actor: Actor, *, name: str, body: str, subject: str = "", mode: str = TEMPLATE_MODE.values[0]
    ) -> Template:
        """Creates a template.

        Raises:
            Refused: `unknown_placeholder`; `conflict` if the name is taken, or the workspace has too many templates.
        """
        now = self._clock.now()
        empty = Template(ids.new_id("tpl"), actor.workspace_id, "", "", "", "text", now, now)
        template = await self._apply_change(empty, TemplateChange(name, subject, body, mode))
        async with self._database.transaction() as transaction:
            await transaction.fetch_one("workspace_lock", id=actor.workspace_id)
            await _require_name(transaction, actor, template)
            await transaction.execute("template_insert", **model_values(template))
            await audit.record(transaction, actor, now, "template.create", template.id, name=template.name)
        return template

    @retry_on_conflict
    async def change(self, actor: Actor, template_id: str, change: TemplateChange) -> Template:
        """Changes the given fields. Raises `Refused` like `create`, or `conflict` after another change meanwhile."""
        current = await self.get(actor, template_id)
        changed = await self._apply_change(current, change)
        if changed == current:
            return current
        changed = replace(changed, updated_at=self._clock.now())
        async with self._database.transaction() as transaction:
            await transaction.fetch_one("workspace_lock", id=actor.workspace_id)
            if await fetch_by_id(transaction, actor, Template, "template_by_id", template_id) != current:
                raise Refused("conflict", "The template was changed at the same time: get it again")
            await _require_name(transaction, actor, changed)
            await transaction.execute("template_update", **model_values(changed))
            await audit.record(
                transaction,
                actor,
                changed.updated_at,
                "template.change",
                template_id,
                name=changed.name,
                before={"name": current.name},
            )
        return changed

    async def delete(self, actor: Actor, template_id: str) -> None:
        """Deletes a template. Raises `in_use` if an alias acknowledges mail with it."""
        async with self._database.transaction() as transaction:
            template = await fetch_by_id(transaction, actor, Template, "template_lock_to_delete", template_id)
            used = await transaction.fetch_one("template_alias", id=template.id, workspace_id=actor.workspace_id)
            if used is not None:
                address = f"{used['local_part']}@{used['domain']}"
                raise Refused("in_use", f"{address} acknowledges mail with this template: change the alias first")
            await transaction.execute("template_delete", id=template.id, workspace_id=actor.workspace_id)
            await audit.record(
                transaction, actor, self._clock.now(), "template.delete", template.id, name=template.name
            )

    async def render(self, actor: Actor, template_id: str, ticket_id: str, *, text: str = "") -> RenderedTemplate:
        """Renders a template for a ticket.

        Args:
            ticket_id: The id or the number of the ticket.
            text: The content of the element of `editable_html`; `""` keeps that of the template.
        """
        template = await self.get(actor, template_id)
        return render_template(template, await self._values.read(actor, ticket_id), text=text)

    async def preview(self, actor: Actor, template: Template, ticket_id: str = "") -> RenderedTemplate:
        """Renders a template for a ticket; without one, with the values of an invented ticket."""
        return render_template(template, await self._values.read_or_sample(actor, ticket_id))

    async def _apply_change(self, template: Template, change: TemplateChange) -> Template:
        """Returns the template with the changes, normalised and sanitised. Raises `Refused`."""
        changed = apply_change(template, change)
        if changed == template:
            return template
        if changed.mode != "text" and (changed.body, changed.mode) != (template.body, template.mode):
            body = await self._sanitize(changed.body, is_editable=changed.mode == "editable_html")
            if body is None:
                raise Refused("invalid_request", "body has too many or too deeply nested HTML elements", "body")
            changed = replace(changed, body=body)
        check_template(changed)
        return changed


async def _require_name(transaction: QueryExecutor, actor: Actor, template: Template) -> None:
    """Raises `conflict` if another template has the name, or the limit is reached. The workspace must be locked."""
    others = await transaction.fetch_all("template_names", workspace_id=actor.workspace_id)
    names = {caseless_key(row["name"]) for row in others if row["id"] != template.id}
    if caseless_key(template.name) in names:
        raise Refused("conflict", f"The template {template.name} already exists", "name")
    if len(names) >= MAX_TEMPLATES:
        raise Refused("conflict", f"A workspace must not have more than {MAX_TEMPLATES} templates: remove others")


def apply_change(template: Template, change: TemplateChange) -> Template:
    """Returns the template with the changes, normalised but not sanitised. Raises `Refused`."""
    changed = template
    if change.name is not None:
        changed = replace(changed, name=validation.validate_line(change.name, "name"))
    if change.subject is not None:
        subject = change.subject.strip()
        line = validation.validate_line(subject, "subject", max_length=MAX_SUBJECT_LENGTH) if subject else ""
        changed = replace(changed, subject=line)
    if change.mode is not None:
        changed = replace(changed, mode=TEMPLATE_MODE.parse(change.mode))
    if change.body is not None:
        body = validation.validate_text(change.body, "body", max_length=MAX_TEXT_LENGTH)
        changed = replace(changed, body=body)
    return changed
