"""Types and options of commands that are derived from declarations of the core."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import click

from emailrouter.cli.context import CommandContext
from router.admin.lookup import LookupService
from router.choice import Choice
from router.enumerations import IdPrefix
from router.filters import ListFilter, query_name
from router.model import Actor

L = TypeVar("L", bound=ListFilter)
F = TypeVar("F", bound=Callable[..., Any])

# For each type of id: what an option accepts, and how the id is found.
_LOOKUPS: Mapping[IdPrefix, tuple[str, Callable[[LookupService, Actor, str], Awaitable[str]]]] = {
    "user": ("EMAIL|ID", LookupService.find_user_id),
    "dom": ("DOMAIN", LookupService.find_domain_id),
    "alias": ("ADDRESS|ID", LookupService.find_alias_id),
    "int": ("NAME|ID", LookupService.find_integration_id),
    "ticket": ("TICKET", LookupService.find_ticket_id),
}
_MAX_METAVAR = 60
_OPTION_NAMES = {"q": ("--search", "-q")}


class ChoiceType(click.Choice[Any]):
    """The values of a `Choice`. Accepts synonyms, which help and completion do not list."""

    def __init__(self, choice: Choice[Any]) -> None:
        super().__init__(choice.values)
        self._synonyms = choice.synonyms

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return super().convert(self._synonyms.get(value, value), param, ctx)


@dataclass(frozen=True, slots=True)
class FilterOptions(Generic[L]):
    """The options of a command that filter a list. `texts` has the given texts by field name."""

    list_filter: type[L]
    texts: Mapping[str, str | None]

    async def read(self, context: CommandContext) -> L:
        """Returns the filter. Looks up the objects that options name. Raises `Refused`."""
        query = {query_name(name): text for name, text in self.texts.items()}
        for name, criterion in self.list_filter.criteria().items():
            text = self.texts[name]
            if text is not None and criterion.refers_to is not None:
                find_id = _LOOKUPS[criterion.refers_to][1]
                query[query_name(name)] = await find_id(context.lookup, context.actor, text)
        return self.list_filter.from_query(query)


def _describe_choice(choice: Choice[Any], help_text: str) -> dict[str, Any]:
    """Lists many values in the help instead of the metavar, which is not wrapped."""
    if len("|".join(choice.values)) <= _MAX_METAVAR:
        return {"help": help_text}
    return {"help": f"{help_text} One of: {', '.join(choice.values)}.", "metavar": choice.name.upper()}


def filter_options(list_filter: type[ListFilter]) -> Callable[[F], F]:
    """Adds an option for each criterion of a filter. The command receives a `FilterOptions` as `filters`."""
    criteria = list_filter.criteria()

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def command(*args: Any, **kwargs: Any) -> Any:
            texts = {name: kwargs.pop(name) for name in criteria}
            return function(*args, filters=FilterOptions(list_filter, texts), **kwargs)

        for name, criterion in reversed(list(criteria.items())):
            names = _OPTION_NAMES.get(name) or (f"--{name.removesuffix('_id').replace('_', '-')}",)
            if criterion.choice is not None:
                option = click.option(
                    *names,
                    name,
                    type=ChoiceType(criterion.choice),
                    **_describe_choice(criterion.choice, criterion.help),
                )
            else:
                metavar = "TEXT" if criterion.refers_to is None else _LOOKUPS[criterion.refers_to][0]
                option = click.option(*names, name, metavar=metavar, help=criterion.help)
            option(command)
        return cast("F", command)

    return decorate
