"""`allowed-sender` and `blocked-sender` commands."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from api.schema.sender_lists import (
    AllowedSenderAnswer,
    AllowedSendersAdded,
    BlockedSenderAnswer,
    BlockedSendersAdded,
)
from emailrouter.cli.context import CommandContext, WorkspaceGroup, confirm, confirmation_option, to_json, with_context
from emailrouter.cli.paging import Paging, paging_options, to_rows
from emailrouter.cli.parameters import ChoiceType, FilterOptions, filter_options
from emailrouter.cli.tables import Column
from router.admin.routes.listed_senders import AddedSenders, read_lines
from router.enumerations import BLOCK_ACTION
from router.filters import TextFilter

F = TypeVar("F", bound=Callable[..., Any])

_COMMON_COLUMNS = (
    Column("Hits", "hits"),
    Column("Last hit", "lastHitAt", is_time=True),
    Column("Note", "note", shorten=True, optional=True),
    Column("Added", "createdAt", optional=True, is_time=True),
)


def _adding_options(function: F) -> F:
    """Adds what both `add` commands have: the senders, the file and the note."""
    function = click.option("--note", metavar="TEXT", default="", help="Note on each of the senders.")(function)
    function = click.option(
        "--file",
        "file",
        type=click.Path(path_type=Path, allow_dash=True),
        metavar="PATH|-",
        help="Read senders from a file, or `-` for standard input: one a line; lines that begin with # are ignored.",
    )(function)
    return click.argument("senders", metavar="[SENDER]...", nargs=-1)(function)


def _read_senders(senders: Sequence[str], file: Path | None) -> list[str]:
    """Returns the senders of the arguments and of the file."""
    found = list(senders)
    if file is not None:
        try:
            found += read_lines(sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError) as error:
            raise click.UsageError(f"--file: {error}") from None
    if not found:
        raise click.UsageError("give a sender, or a --file with senders")
    return found


def _summarize(result: AddedSenders[Any], state: str) -> str:
    sentence = f"{len(result.added)} senders are {state}." if len(result.added) != 1 else f"1 sender is {state}."
    if result.already_listed:
        sentence += f" {len(result.already_listed)} were {state} before."
    return sentence


@click.group(cls=WorkspaceGroup, name="allowed-sender")
def allowed_group() -> None:
    """Manage allowed senders, whose mail is not rejected or spam.

    A sender is an address, a domain (`@partner.example`), a domain with all domains below it (`.partner.example`) or a
    network (`192.0.2.0/24`). The narrowest entry decides: an allowed sender takes precedence over blocked ones that are
    as wide or wider.
    """


@allowed_group.command("list", examples=["allowed-sender list", "allowed-sender list --search partner"])
@filter_options(TextFilter)
@paging_options
@with_context()
async def list_allowed(context: CommandContext, *, filters: FilterOptions[TextFilter], paging: Paging) -> None:
    """List the allowed senders in alphabetical order."""
    service = context.services.allowed_senders
    page = await paging.collect(partial(service.list, context.actor, await filters.read(context)))
    columns = (Column("Sender", "sender"), Column("Authenticated", "requireAuth"), *_COMMON_COLUMNS)
    context.print_list("allowedSenders", to_rows(page, AllowedSenderAnswer.from_model), columns)


@allowed_group.command(
    "add",
    examples=[
        "allowed-sender add billing@partner.example --note Invoices",
        "allowed-sender add @partner.example --no-auth",
    ],
)
@_adding_options
@click.option(
    "--require-auth/--no-auth",
    "require_auth",
    default=None,
    help="Whether the entry only counts for authenticated messages.  [default: --require-auth, except for networks]",
)
@with_context()
async def add_allowed(
    context: CommandContext, *, senders: tuple[str, ...], file: Path | None, note: str, require_auth: bool | None
) -> None:
    """Allow senders. If one of several is invalid, none is added."""
    service, found = context.services.allowed_senders, _read_senders(senders, file)
    if len(senders) == 1 and file is None:
        added = await service.create(context.actor, senders[0], require_auth=require_auth, note=note)
        context.print_result(to_json(AllowedSenderAnswer.from_model(added)), f"{added.sender} is allowed.")
        return
    result = await service.create_many(context.actor, found, require_auth=require_auth, note=note)
    context.print_result(to_json(AllowedSendersAdded.from_result(result)), _summarize(result, "allowed"))


@allowed_group.command("remove", examples=["allowed-sender remove @partner.example"])
@click.argument("sender")
@confirmation_option
@with_context()
async def remove_allowed(context: CommandContext, sender: str, yes: bool) -> None:
    """Remove an allowed sender."""
    confirm(f"Remove {sender} from the allowed senders?", yes=yes)
    await context.services.allowed_senders.delete(context.actor, sender)
    context.print_result({"sender": sender, "removed": True}, f"{sender} is not an allowed sender any more.")


@click.group(cls=WorkspaceGroup, name="blocked-sender")
def blocked_group() -> None:
    """Manage blocked senders, whose mail is rejected or spam.

    A sender is an address, a domain (`@spam.example`), a domain with all domains below it (`.spam.example`) or a
    network (`192.0.2.0/24`).
    """


@blocked_group.command("list", examples=["blocked-sender list", "blocked-sender list --search spam"])
@filter_options(TextFilter)
@paging_options
@with_context()
async def list_blocked(context: CommandContext, *, filters: FilterOptions[TextFilter], paging: Paging) -> None:
    """List the blocked senders in alphabetical order."""
    service = context.services.blocked_senders
    page = await paging.collect(partial(service.list, context.actor, await filters.read(context)))
    columns = (Column("Sender", "sender"), Column("Action", "action"), *_COMMON_COLUMNS)
    context.print_list("blockedSenders", to_rows(page, BlockedSenderAnswer.from_model), columns)


@blocked_group.command(
    "add",
    examples=[
        "blocked-sender add @spam.example",
        "blocked-sender add 192.0.2.0/24 .spam.example --action spam",
        "blocked-sender add --file spammers.txt --note 'List of May'",
    ],
)
@_adding_options
@click.option(
    "--action",
    type=ChoiceType(BLOCK_ACTION),
    default="refuse",
    show_default=True,
    help="`refuse` rejects mail with 550 5.7.1, `spam` holds its tickets as spam.",
)
@with_context()
async def add_blocked(
    context: CommandContext, *, senders: tuple[str, ...], file: Path | None, note: str, action: str
) -> None:
    """Block senders. If one of several is invalid, none is blocked."""
    service, found = context.services.blocked_senders, _read_senders(senders, file)
    if len(senders) == 1 and file is None:
        added = await service.create(context.actor, senders[0], action=action, note=note)
        context.print_result(to_json(BlockedSenderAnswer.from_model(added)), f"{added.sender} is blocked.")
        return
    result = await service.create_many(context.actor, found, action=action, note=note)
    context.print_result(to_json(BlockedSendersAdded.from_result(result)), _summarize(result, "blocked"))


@blocked_group.command("remove", examples=["blocked-sender remove @spam.example"])
@click.argument("sender")
@confirmation_option
@with_context()
async def remove_blocked(context: CommandContext, sender: str, yes: bool) -> None:
    """Unblock a sender."""
    confirm(f"Unblock {sender}?", yes=yes)
    await context.services.blocked_senders.delete(context.actor, sender)
    context.print_result({"sender": sender, "removed": True}, f"{sender} is unblocked.")


COMMANDS = (allowed_group, blocked_group)
