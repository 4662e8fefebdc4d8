"""Tags of tickets: their rows, and the comparison and display of their names. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from router.unicode_text import normalize


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag for the tickets of a workspace.

    Attributes:
        name_key: See `caseless_key`.
        color: `#rrggbb`, or `""` without a colour.
        created_at: In microseconds since the epoch.
        merged_into: The id of the tag into which this one is being merged, if any. It may have been deleted.
    """

    id: str
    workspace_id: str
    name: str
    name_key: str
    color: str
    created_at: int
    merged_into: str | None = None


def caseless_key(name: str) -> str:
    """Returns the same key for names that differ only in case, canonical equivalence or white space.

    See section 3.13.5 of the Unicode Standard, canonical caseless matching.
    """
    return " ".join(normalize("NFC", normalize("NFD", name).casefold()).split())


def join_names(names: Iterable[str]) -> str:
    """Joins names with commas for display. Quotes a name that contains a comma itself."""
    return ", ".join(f'"{name}"' if "," in name else name for name in names)
