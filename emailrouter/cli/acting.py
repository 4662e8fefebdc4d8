"""The option `--as` of commands that act on behalf of a user."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from emailrouter.cli.context import CommandContext
from router.errors import Refused

F = TypeVar("F", bound=Callable[..., Any])


def acting_option(*, required: bool) -> Callable[[F], F]:
    return click.option("--as", "acting", metavar="EMAIL|ID", required=required, help="User on whose behalf to act.")


async def act_as(context: CommandContext, acting: str | None) -> CommandContext:
    """Returns a context that acts on behalf of the user `acting`, or the same context for None.

    Raises `Refused` for disabled users and viewers.
    """
    if acting is None:
        return context
    user = await context.services.users.get(context.actor, await context.lookup.find_user_id(context.actor, acting))
    if user.disabled_at is not None:
        raise Refused("invalid_request", f"{user.email} is disabled")
    if user.role == "viewer":
        raise Refused("invalid_request", f"{user.email} is a viewer and cannot work on tickets")
    return context.acting_as(user.id)
