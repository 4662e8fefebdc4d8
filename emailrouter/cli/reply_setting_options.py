"""The options that set how replies from an alias look."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import click

from emailrouter.cli.context import CommandContext, Json, read_text
from router.admin.routes.reply_settings import NO_TEMPLATE, ReplySettingsChange

F = TypeVar("F", bound=Callable[..., Any])
_OPTIONS = (
    click.option(
        "--sender-name",
        metavar="PATTERN",
        help='Name in From of replies, with {agent} and {workspace}; "" for the default.',
    ),
    click.option(
        "--signature",
        metavar="TEXT",
        help='Text with placeholders that ends replies; `-` reads it from standard input, "" removes it.',
    ),
    click.option(
        "--reply-to-token/--no-reply-to-token",
        default=None,
        help="Whether Reply-To of replies is an address that names the ticket.",
    ),
    click.option(
        "--acknowledge", metavar="TEMPLATE", help='Name or ID of the template of acknowledgements; "" disables them.'
    ),
)
_NAMES = ("sender_name", "signature", "reply_to_token", "acknowledge")


def reply_setting_options(function: F) -> F:
    """Adds the options. The command receives the given ones as `reply_settings`, by the names of its parameters."""

    @functools.wraps(function)
    def command(*args: Any, **kwargs: Any) -> Any:
        given = {name: kwargs.pop(name) for name in _NAMES}
        settings = {name: value for name, value in given.items() if value is not None}
        return function(*args, reply_settings=settings, **kwargs)

    for option in reversed(_OPTIONS):
        option(command)
    return cast("F", command)


async def read_reply_settings(context: CommandContext, given: dict[str, Any]) -> ReplySettingsChange:
    """Returns the settings that the options set. Raises `Refused` if the template is unknown."""
    template_id = given.get("acknowledge")
    if template_id:
        template_id = (await context.services.templates.find(context.actor, template_id)).id
    signature = given.get("signature")
    return ReplySettingsChange(
        sender_name=given.get("sender_name"),
        signature=None if signature is None else read_text(signature),
        reply_to_token=given.get("reply_to_token"),
        acknowledge_template_id=NO_TEMPLATE if template_id == "" else template_id,
    )


async def describe_acknowledgement(context: CommandContext, data: Json) -> Json:
    """Returns the answer of an alias with the name of the template."""
    if data["acknowledge"] is None:
        return data
    template = await context.services.templates.get(context.actor, data["acknowledge"]["templateId"])
    return {**data, "acknowledge": template.name}
