"""The filters of a list as fields of its form, and as links that remove one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from api.dashboard.page import Visit
from router.filters import ListFilter, query_name

Option = tuple[str, str]  # value and label


@dataclass(frozen=True, slots=True)
class FilterInput:
    """A field of a filter form.

    Attributes:
        options: The choices; None for a field that the user fills in.
        query_without: The query string of the list without this filter.
    """

    name: str
    label: str
    value: str
    options: Sequence[Option] | None
    query_without: str

    @property
    def shown_value(self) -> str:
        return next((label for value, label in self.options or () if value == self.value), self.value)


def given_filters(visit: Visit, list_filter: type[ListFilter]) -> dict[str, str]:
    """Returns the filters in the query string. A form also submits the fields that are empty."""
    names = map(query_name, list_filter.criteria())
    return {name: value for name in names if (value := visit.query.get(name, "").strip())}


def build_fields(
    list_filter: type[ListFilter],
    given: Mapping[str, str],
    options: Mapping[str, Sequence[Option]],
    *,
    without: Collection[str] = (),
) -> list[FilterInput]:
    """Returns the fields of a form, except those in `without`. `options` has the choices of filters by ids, by name."""
    return [
        FilterInput(
            name=name,
            label=criterion.label,
            value=given.get(name, ""),
            options=options.get(name) if criterion.choice is None else criterion.choice.options(),
            query_without=_query_string({other: value for other, value in given.items() if other != name}),
        )
        for name, criterion in _by_query_name(list_filter).items()
        if name not in without
    ]


def _by_query_name(list_filter: type[ListFilter]) -> dict[str, Any]:
    return {query_name(name): criterion for name, criterion in list_filter.criteria().items()}


def _query_string(values: Mapping[str, str]) -> str:
    return f"?{urlencode(values)}" if values else "?"
