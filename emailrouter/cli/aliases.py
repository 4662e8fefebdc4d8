"""`alias` commands."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from api.schema.routing import AliasAnswer, AliasTested
from emailrouter.cli.context import CommandContext, WorkspaceGroup, confirm, confirmation_option, to_json, with_context
from emailrouter.cli.paging import Paging, paging_options, to_rows
from emailrouter.cli.parameters import FilterOptions, filter_options
from emailrouter.cli.reply_setting_options import (
    describe_acknowledgement,
    read_reply_settings,
    reply_setting_options,
)
from emailrouter.cli.sender_check_options import describe_checks, sender_check_options
from emailrouter.cli.tables import Column
from router.errors import Refused
from router.filters import AliasFilter
from router.model import Alias


@click.group(cls=WorkspaceGroup, name="alias")
def group() -> None:
    """Manage aliases: the addresses that accept mail.

    Each alias sends its tickets to one integration. `*@example.com` is the catch-all.
    """


@group.command("list", examples=["alias list --domain example.com"])
@filter_options(AliasFilter)
@paging_options
@with_context()
async def list_command(context: CommandContext, *, filters: FilterOptions[AliasFilter], paging: Paging) -> None:
    """List the aliases, newest first."""
    page = await paging.collect(partial(context.services.aliases.list, context.actor, await filters.read(context)))
    columns = (
        Column("Address", "email"),
        Column("Integration", "integrationId", shorten=True),
        Column("Status", "status"),
        Column("ID", "id", optional=True),
    )
    names = await context.display_names(alias.integration_id for alias in page.items)
    context.print_list("aliases", to_rows(page, AliasAnswer.from_model), columns, integrationId=names)


@group.command("show", examples=["alias show support@example.com"])
@click.argument("alias", metavar="ADDRESS|ID")
@with_context()
async def show(context: CommandContext, alias: str) -> None:
    """Show one alias."""
    await _print_alias(
        context,
        await context.services.aliases.get(context.actor, await context.lookup.find_alias_id(context.actor, alias)),
    )


@group.command("add", examples=["alias add support@example.com --integration support"])
@click.argument("address")
@click.option("--integration", metavar="NAME|ID", required=True, help="Integration that receives its tickets.")
@click.option(
    "--forwarded-from",
    metavar="ADDRESS",
    help="Note which address at another mail system forwards to the alias. Checks and changes nothing.",
)
@sender_check_options("inherit", "`inherit` selects that of the workspace")
@reply_setting_options
@with_context()
async def add(
    context: CommandContext,
    address: str,
    *,
    integration: str,
    forwarded_from: str | None,
    sender_checks: dict[str, object],
    reply_settings: dict[str, Any],
) -> None:
    """Add an alias. It accepts mail as soon as its domain is verified."""
    local_part, at_sign, domain = address.rpartition("@")
    if not at_sign:
        raise Refused("invalid_alias", f"{address!r} is not an email address")
    domain_id = await context.lookup.find_domain_id(context.actor, domain)
    integration_id = await context.lookup.find_integration_id(context.actor, integration)
    created = await context.services.aliases.create(
        context.actor,
        domain_id=domain_id,
        local_part=local_part,
        integration_id=integration_id,
        forwarded_from=forwarded_from,
        sender_checks=sender_checks,
        reply_settings=await read_reply_settings(context, reply_settings),
    )
    await _print_alias(context, created)


@group.command("change", examples=["alias change support@example.com --integration billing"])
@click.argument("alias", metavar="ADDRESS|ID")
@click.option("--integration", metavar="NAME|ID", help="Integration that will receive its tickets.")
@click.option("--forwarded-from", metavar="ADDRESS", help='New note of the forwarding address; "" removes it.')
@sender_check_options("inherit", "`inherit` selects that of the workspace")
@reply_setting_options
@with_context()
async def change(
    context: CommandContext,
    alias: str,
    *,
    integration: str | None,
    forwarded_from: str | None,
    sender_checks: dict[str, object],
    reply_settings: dict[str, Any],
) -> None:
    """Change an alias.

    Changes its integration, the note which address forwards to it, its sender checks, or how replies from it look.
    """
    if integration is None and forwarded_from is None and not sender_checks and not reply_settings:
        raise click.UsageError("nothing to change: use an option, such as --integration")
    alias_id = await context.lookup.find_alias_id(context.actor, alias)
    integration_id = (
        None if integration is None else await context.lookup.find_integration_id(context.actor, integration)
    )
    changed = await context.services.aliases.change(
        context.actor,
        alias_id,
        integration_id=integration_id,
        forwarded_from=forwarded_from,
        sender_checks=sender_checks,
        reply_settings=await read_reply_settings(context, reply_settings),
    )
    await _print_alias(context, changed)


def _add_status_command(name: str, status: str, about: str) -> None:
    @group.command(name, help=about, examples=[f"alias {name} support@example.com"])
    @click.argument("alias", metavar="ADDRESS|ID")
    @with_context()
    async def switch(context: CommandContext, alias: str) -> None:
        alias_id = await context.lookup.find_alias_id(context.actor, alias)
        changed = await context.services.aliases.change(context.actor, alias_id, status=status)
        context.print_result(to_json(AliasAnswer.from_model(changed)), f"{changed.email} is {name}d.")


_add_status_command("disable", "disabled", "Reject mail to an alias with 550 5.2.1 until it is enabled.")
_add_status_command("enable", "active", "Accept mail to a disabled alias again.")


@group.command("test", examples=["alias test support@example.com"])
@click.argument("alias", metavar="ADDRESS|ID")
@with_context()
async def test(context: CommandContext, alias: str) -> None:
    """Send a test message to an alias by SMTP.

    It goes to the SMTP server of this installation, and its ticket is posted as usual.
    """
    result = await context.services.aliases.test(
        context.actor, await context.lookup.find_alias_id(context.actor, alias)
    )
    context.print_object(to_json(AliasTested.from_model(result)))


@group.command("remove", examples=["alias remove support@example.com"])
@click.argument("alias", metavar="ADDRESS|ID")
@confirmation_option
@with_context()
async def remove(context: CommandContext, alias: str, yes: bool) -> None:
    """Remove an alias. Its mail is rejected, or goes to the catch-all; its tickets are kept."""
    found = await context.services.aliases.get(context.actor, await context.lookup.find_alias_id(context.actor, alias))
    confirm(f"Remove {found.email}?", yes=yes)
    await context.services.aliases.delete(context.actor, found.id)
    context.print_result({"id": found.id, "removed": True}, f"{found.email} was removed.")


async def _print_alias(context: CommandContext, alias: Alias) -> None:
    names = await context.display_names([alias.integration_id])
    data = to_json(AliasAnswer.from_model(alias))
    if not context.as_json:
        data = await describe_acknowledgement(context, describe_checks(data, "as the workspace"))
    context.print_object(data, integrationId=names)


COMMANDS = (group,)
