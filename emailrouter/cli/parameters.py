"""Types of options and arguments that are derived from declarations of the core."""

from __future__ import annotations

from typing import Any

import click

from router.choice import Choice


class ChoiceType(click.Choice[Any]):
    """The values of a `Choice`. Accepts synonyms, which help and completion do not list."""

    def __init__(self, choice: Choice[Any]) -> None:
        super().__init__(choice.values)
        self._synonyms = choice.synonyms

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return super().convert(self._synonyms.get(value, value), param, ctx)
