"""The list `tags`: names and colours. The tickets of a tag are no configuration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from router.admin.paging import MAX_LIMIT
from router.admin.tickets.tag_names import validate_color, validate_name
from router.model import Actor
from router.provisioning.entry import EntryModel, differences, format_differences, index_unique, normalize
from router.provisioning.section import SectionChange
from router.services import Services
from router.tag import Tag, caseless_key


class TagDefinition(EntryModel):
    """A tag. `color` is `#rrggbb`, or empty."""

    name: str
    color: str = ""


class TagSection:
    key = "tags"
    kind = "tag"
    entry_type = TagDefinition
    is_used_by_aliases = False

    async def read(self, services: Services, actor: Actor) -> Sequence[Tag]:
        page = await services.tickets.tags.list_uncounted(actor, limit=MAX_LIMIT)
        found = list(page.items)
        while page.next_cursor is not None:
            page = await services.tickets.tags.list_uncounted(actor, limit=MAX_LIMIT, cursor=page.next_cursor)
            found += page.items
        return found

    def export(self, objects: Sequence[Tag]) -> list[TagDefinition]:
        return [TagDefinition(name=tag.name, color=tag.color) for tag in objects]

    def plan(self, entries: Sequence[TagDefinition], objects: Sequence[Tag]) -> Iterator[SectionChange]:
        existing = {tag.name_key: tag for tag in objects}
        keyed = ((caseless_key(entry.name), entry) for entry in map(_normalize, range(1, len(entries) + 1), entries))
        definitions = index_unique(self.key, "name", keyed)
        # First, so that a workspace with the maximum number of tags can get others.
        for key, tag in existing.items():
            if key not in definitions:
                yield SectionChange("remove", tag.name, partial(_remove, tag))
        for key, entry in definitions.items():
            current = existing.get(key)
            if current is None:
                yield SectionChange("add", entry.name, partial(_add, entry), entry.color)
            elif changed := differences(name=(current.name, entry.name), color=(current.color, entry.color)):
                detail = format_differences(changed)
                yield SectionChange("change", current.name, partial(_change, current, entry), detail)


def _normalize(n: int, entry: TagDefinition) -> TagDefinition:
    return TagDefinition(
        name=normalize(lambda name: validate_name(name, "name"), entry.name, f"tags[{n}].name"),
        color=normalize(validate_color, entry.color, f"tags[{n}].color"),
    )


async def _add(entry: TagDefinition, services: Services, actor: Actor) -> None:
    await services.tickets.tags.create(actor, entry.name, entry.color)


async def _change(tag: Tag, entry: TagDefinition, services: Services, actor: Actor) -> None:
    await services.tickets.tags.change(actor, tag.id, name=entry.name, color=entry.color)


async def _remove(tag: Tag, services: Services, actor: Actor) -> None:
    await services.tickets.tags.delete(actor, tag.id)


SECTION = TagSection()
