"""The interface of a section: a list of the workspace document whose entries refer to no other entries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from router.model import Actor
from router.services import Services


@dataclass(frozen=True, slots=True)
class SectionChange:
    """A planned change. `execute` carries it out."""

    action: Literal["add", "change", "remove"]
    name: str
    execute: Callable[[Services, Actor], Awaitable[object]]
    detail: str = ""


class DocumentSection(Protocol):
    """Exports, compares and applies one list of the document.

    Attributes:
        key: The key of the list in the document.
        kind: The name of an object in the displayed changes.
        entry_type: The type of an entry in the document.
        is_used_by_aliases: Whether aliases refer to its entries, which are added before them and removed after them.
    """

    key: str
    kind: str
    entry_type: type[Any]
    is_used_by_aliases: bool

    async def read(self, services: Services, actor: Actor) -> Sequence[Any]:
        """Returns the current objects in a stable order."""
        ...

    def export(self, objects: Sequence[Any]) -> list[Any]:
        """Converts objects to entries."""
        ...

    def plan(self, entries: Sequence[Any], objects: Sequence[Any]) -> Iterable[SectionChange]:
        """Compares entries with objects. Yields the changes in the order of execution.

        Removes the objects that have no entry; these changes are executed only with `prune`.

        Raises:
            InvalidDocument: An entry is invalid.
        """
        ...
