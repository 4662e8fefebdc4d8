"""What the lists `allowed_senders` and `blocked_senders` have in common.

An entry is a table, or only the text of the sender if all other values are the defaults.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Generic, Self, TypeVar

from pydantic import model_serializer, model_validator

from router.admin.routes.listed_senders import SenderListService, validate_note
from router.errors import Refused
from router.model import Actor, AllowedSender, BlockedSender
from router.provisioning.entry import (
    Differences,
    EntryModel,
    InvalidDocument,
    format_differences,
    index_unique,
)
from router.provisioning.section import SectionChange
from router.routing.senders import normalize_entry, normalize_new_entry
from router.services import Services


class SenderDefinition(EntryModel):
    """An entry of a list of senders."""

    sender: str
    note: str = ""

    @model_validator(mode="before")
    @classmethod
    def _expand_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"sender": value}
        if not isinstance(value, dict | cls):
            raise ValueError("must be a text or a table")  # noqa: TRY004 - pydantic reports a ValueError
        return value

    @model_serializer
    def _shorten(self) -> str | dict[str, Any]:
        given = {name: value for name, value in self if value != type(self).model_fields[name].default}
        return self.sender if given.keys() == {"sender"} else given

    def normalized(self, sender: str) -> Self:
        """Returns the entry with a normalised sender. Raises `Refused` if a value is invalid."""
        return self.model_copy(update={"sender": sender, "note": validate_note(self.note)})


S = TypeVar("S", AllowedSender, BlockedSender)
D = TypeVar("D", bound=SenderDefinition)


class SenderSection(ABC, Generic[S, D]):
    """A section with the senders of one list."""

    key: str
    kind: str
    entry_type: type[D]
    is_used_by_aliases = False

    async def read(self, services: Services, actor: Actor) -> Sequence[S]:
        return await self._service(services).list_all(actor.workspace_id)

    def export(self, objects: Sequence[S]) -> list[D]:
        return [self._define(listed) for listed in objects]

    def plan(self, entries: Sequence[D], objects: Sequence[S]) -> Iterator[SectionChange]:
        existing = {listed.sender: self._define(listed) for listed in objects}
        normalized = (self._normalize(n, entry, existing) for n, entry in enumerate(entries, start=1))
        wanted = index_unique(self.key, "", ((entry.sender, entry) for entry in normalized))
        # First, so that a full list can get other entries.
        for sender in existing:
            if sender not in wanted:
                yield SectionChange("remove", sender, partial(self._remove, sender))
        for sender, entry in wanted.items():
            current = existing.get(sender)
            if current is None:
                yield SectionChange("add", sender, partial(self._add, entry))
            elif current != entry:
                detail = format_differences(_differences(current, entry))
                yield SectionChange("change", sender, partial(self._change, entry), detail)

    def _normalize(self, n: int, entry: D, existing: Mapping[str, D]) -> D:
        try:
            if entry.sender in existing:
                return entry.normalized(entry.sender)
            sender = normalize_entry(entry.sender)
            return entry.normalized(sender if sender in existing else normalize_new_entry(sender))
        except Refused as refused:
            raise InvalidDocument(f"{self.key}[{n}].{refused.message}") from None
        except ValueError as error:
            raise InvalidDocument(f"{self.key}[{n}]: {entry.sender!r} {error}") from None

    async def _remove(self, sender: str, services: Services, actor: Actor) -> None:
        await self._service(services).delete(actor, sender)

    @abstractmethod
    def _service(self, services: Services) -> SenderListService[S]: ...

    @abstractmethod
    def _define(self, listed: S) -> D: ...

    @abstractmethod
    async def _add(self, entry: D, services: Services, actor: Actor) -> None: ...

    @abstractmethod
    async def _change(self, entry: D, services: Services, actor: Actor) -> None: ...


def _differences(current: SenderDefinition, entry: SenderDefinition) -> Differences:
    return {name: (old, new) for (name, old), (_, new) in zip(current, entry, strict=True) if old != new}
