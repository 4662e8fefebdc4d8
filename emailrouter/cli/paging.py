"""Paging of the list commands: the options, the pages that they select, and the rows of the answer."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

import click

from api.schema.shape import Answer
from emailrouter.cli import console
from emailrouter.cli.context import Json, to_json
from router.admin.paging import DEFAULT_LIMIT, MAX_LIMIT, Page

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class PageReader(Protocol[T]):
    """The `list` method of a use case, with the arguments before paging bound."""

    def __call__(self, *, limit: int, cursor: str | None) -> Awaitable[Page[T]]: ...


@dataclass(frozen=True, slots=True)
class Paging:
    """Which entries to list. `limit` is None for all entries from `cursor` on."""

    limit: int | None
    cursor: str | None

    async def collect(self, read_page: PageReader[T]) -> Page[T]:
        """Reads pages until there are `limit` entries or no more pages."""
        items: list[T] = []
        cursor = self.cursor
        while True:
            page = await read_page(
                limit=MAX_LIMIT if self.limit is None else min(MAX_LIMIT, self.limit - len(items)), cursor=cursor
            )
            items += page.items
            cursor = page.next_cursor
            if cursor is None or len(items) == self.limit:
                return Page(tuple(items), cursor)


def paging_options(function: F) -> F:
    """Adds the options for paging, which the command receives as `paging`."""

    @functools.wraps(function)
    def command(*args: Any, list_all: bool, limit: int, cursor: str | None, **kwargs: Any) -> Any:
        return function(*args, paging=Paging(None if list_all else limit, cursor), **kwargs)

    for option in (
        console.wide_option,
        click.option("--cursor", metavar="C", help="Continue after the previous page (its nextCursor)."),
        click.option("--all", "list_all", is_flag=True, help="List all entries."),
        click.option(
            "--limit",
            type=click.IntRange(min=1),
            metavar="N",
            default=DEFAULT_LIMIT,
            show_default=True,
            help="Maximum number of entries.",
        ),
    ):
        option(command)
    return cast(F, command)


def to_rows(page: Page[T], shape: Callable[[T], Answer]) -> Page[Json]:
    return Page(tuple(to_json(shape(item)) for item in page.items), page.next_cursor)
