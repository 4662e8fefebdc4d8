"""`blocked-sender` commands."""

from __future__ import annotations

from functools import partial

import click

from api.schema.operations import BlockedSenderAnswer
from emailrouter.cli.context import CommandContext, WorkspaceGroup, confirm, confirmation_option, to_json, with_context
from emailrouter.cli.paging import Paging, paging_options, to_rows
from emailrouter.cli.parameters import FilterOptions, filter_options
from emailrouter.cli.tables import Column
from router.filters import TextFilter


@click.group(cls=WorkspaceGroup, name="blocked-sender")
def group() -> None:
    """Manage blocked senders, whose mail is rejected.

    A sender is an address, a domain (`@spam.example`) or a network (`192.0.2.0/24`).
    """


@group.command("list", examples=["blocked-sender list", "blocked-sender list --search spam"])
@filter_options(TextFilter)
@paging_options
@with_context()
async def list_command(context: CommandContext, *, filters: FilterOptions[TextFilter], paging: Paging) -> None:
    """List the blocked senders in alphabetical order."""
    page = await paging.collect(
        partial(context.services.blocked_senders.list, context.actor, await filters.read(context))
    )
    columns = (Column("Sender", "sender"), Column("Blocked since", "createdAt", is_time=True))
    context.print_list("blockedSenders", to_rows(page, BlockedSenderAnswer.from_model), columns)


@group.command("add", examples=["blocked-sender add @spam.example", "blocked-sender add 192.0.2.0/24"])
@click.argument("sender")
@with_context()
async def add(context: CommandContext, sender: str) -> None:
    """Reject mail from a sender with 550 5.7.1."""
    blocked = await context.services.blocked_senders.create(context.actor, sender)
    context.print_result(to_json(BlockedSenderAnswer.from_model(blocked)), f"{blocked.sender} is blocked.")


@group.command("remove", examples=["blocked-sender remove @spam.example"])
@click.argument("sender")
@confirmation_option
@with_context()
async def remove(context: CommandContext, sender: str, yes: bool) -> None:
    """Unblock a sender."""
    confirm(f"Unblock {sender}?", yes=yes)
    await context.services.blocked_senders.delete(context.actor, sender)
    context.print_result({"sender": sender, "removed": True}, f"{sender} is unblocked.")


COMMANDS = (group,)
