"""The names and colours of tags in requests. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from router.admin import validation
from router.errors import Refused
from router.tag import caseless_key

MAX_NAME_LENGTH = 50
_COLOR = re.compile(r"#[0-9a-f]{6}")


@dataclass(frozen=True, slots=True)
class TagsChange:
    """Tags to add to tickets and to remove from them, by key. The added ones are mapped to their names."""

    added: Mapping[str, str]
    removed: frozenset[str]

    @classmethod
    def parse(cls, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> TagsChange:
        """Raises `Refused` for an invalid name, and for a name in both lists."""
        added = {caseless_key(name): name for name in reversed(_validate_names(add, "add"))}
        removed = frozenset(caseless_key(name) for name in _validate_names(remove, "remove"))
        if removed & added.keys():
            raise Refused("invalid_request", "remove must not contain a name of add", "remove")
        return cls(added, removed)


def validate_name(name: str, field: str) -> str:
    """Returns the name with single spaces between its words."""
    return " ".join(validation.validate_line(name, field, max_length=MAX_NAME_LENGTH).split())


def _validate_names(names: Sequence[str], field: str) -> list[str]:
    """Validates the names of a list. If there are several, the error states the index of the invalid one."""
    valid = []
    for n, name in enumerate(names):
        try:
            valid.append(validate_name(name, f"{field}[{n}]" if len(names) > 1 else field))
        except Refused as refused:
            raise Refused(refused.code, refused.message, field) from None
    return valid


def validate_color(color: str) -> str:
    """Accepts `#rrggbb` and `""`, which stands for no colour."""
    if color and not _COLOR.fullmatch(color.lower()):
        raise Refused("invalid_request", "color must be empty or have the form #rrggbb", "color")
    return color.lower()
