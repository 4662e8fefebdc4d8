"""The list `templates`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from router.admin.templates.templates import TemplateChange, apply_change
from router.enumerations import TemplateMode
from router.errors import Refused
from router.model import Actor, Template
from router.provisioning.entry import EntryModel, InvalidDocument, differences, format_differences, index_unique
from router.provisioning.section import SectionChange
from router.replies import placeholders
from router.services import Services
from router.tag import caseless_key


class TemplateDefinition(EntryModel):
    """A template. Its HTML is sanitised when it is saved."""

    name: str
    mode: TemplateMode = "text"
    subject: str = ""
    body: str


class TemplateSection:
    key = "templates"
    kind = "template"
    entry_type = TemplateDefinition
    is_used_by_aliases = True

    async def read(self, services: Services, actor: Actor) -> Sequence[Template]:
        return await services.templates.list_all(actor)

    def export(self, objects: Sequence[Template]) -> list[TemplateDefinition]:
        return [
            TemplateDefinition(name=each.name, mode=each.mode, subject=each.subject, body=each.body) for each in objects
        ]

    def plan(self, entries: Sequence[TemplateDefinition], objects: Sequence[Template]) -> Iterator[SectionChange]:
        existing = {caseless_key(template.name): template for template in objects}
        normalized = (_normalize(n, entry) for n, entry in enumerate(entries, start=1))
        wanted = index_unique(self.key, "name", ((caseless_key(each.name), each) for each in normalized))
        for key, template in existing.items():
            if key not in wanted:
                yield SectionChange("remove", template.name, partial(_remove, template))
        for key, entry in wanted.items():
            current = existing.get(key)
            if current is None:
                yield SectionChange("add", entry.name, partial(_add, entry), entry.mode)
                continue
            changed = differences(
                name=(current.name, entry.name),
                mode=(current.mode, entry.mode),
                subject=(current.subject, entry.subject),
            )
            detail = format_differences(changed)
            if current.body != entry.body:
                detail += ", body" if detail else "body"
            if detail:
                yield SectionChange("change", current.name, partial(_change, current, entry), detail)


def _normalize(n: int, entry: TemplateDefinition) -> TemplateDefinition:
    """Normalises the texts. The placeholders of HTML are checked when it is saved, after it was sanitised."""
    empty = Template("", "", "", "", "", "text", 0, 0)
    try:
        template = apply_change(empty, _as_change(entry))
        placeholders.validate(template.subject, "subject")
        if template.mode == "text":
            placeholders.validate(template.body, "body")
    except Refused as refused:
        raise InvalidDocument(f"templates[{n}]: {refused.message}") from None
    return TemplateDefinition(name=template.name, mode=template.mode, subject=template.subject, body=template.body)


def _as_change(entry: TemplateDefinition) -> TemplateChange:
    return TemplateChange(entry.name, entry.subject, entry.body, entry.mode)


async def _add(entry: TemplateDefinition, services: Services, actor: Actor) -> None:
    await services.templates.create(actor, name=entry.name, subject=entry.subject, body=entry.body, mode=entry.mode)


async def _change(template: Template, entry: TemplateDefinition, services: Services, actor: Actor) -> None:
    await services.templates.change(actor, template.id, _as_change(entry))


async def _remove(template: Template, services: Services, actor: Actor) -> None:
    await services.templates.delete(actor, template.id)


SECTION = TemplateSection()
