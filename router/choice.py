"""Enumerations as users and programs see them: accepted values, labels and the error of an invalid value. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from router.errors import ErrorCode, Refused

V = TypeVar("V", bound=str)


@dataclass(frozen=True, slots=True)
class Choice(Generic[V]):
    """The values of a field, of which exactly one applies.

    Attributes:
        name: The name of the field in requests.
        values: In the order in which they are listed.
        code: The error code of an invalid value.
        synonyms: Other accepted texts with their values. They are never returned.
        labels: The labels that differ from the value as words ("In progress" for `in_progress`).
        default: The value that lists and notifications need not show.
    """

    name: str
    values: tuple[V, ...]
    code: ErrorCode = "invalid_request"
    synonyms: Mapping[str, V] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    default: V | None = None

    @property
    def accepted(self) -> tuple[str, ...]:
        """The texts that `parse` accepts."""
        return (*self.values, *self.synonyms)

    def parse(self, text: str) -> V:
        """Returns the value of a text. Raises `Refused` with the accepted values."""
        for value in self.values:
            if text == value or self.synonyms.get(text) == value:
                return value
        raise Refused(self.code, f"{self.name} must be one of: {', '.join(self.values)}", self.name)

    def label(self, value: str) -> str:
        """Returns the label of a value. A value that is not listed, such as an old one, is its own label."""
        if value in self.labels or value not in self.values:
            return self.labels.get(value, value)
        return value.replace("_", " ").capitalize()

    def options(self) -> list[tuple[str, str]]:
        """Returns (value, label) pairs."""
        return [(value, self.label(value)) for value in self.values]
