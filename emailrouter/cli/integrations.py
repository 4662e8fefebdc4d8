"""`integration` commands."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import click

from api.schema.integrations import IntegrationAnswer, IntegrationTested
from emailrouter.cli.context import CommandContext, WorkspaceGroup, confirm, confirmation_option, to_json, with_context
from emailrouter.cli.paging import Paging, paging_options, to_rows
from emailrouter.cli.parameters import FilterOptions, filter_options
from emailrouter.cli.setting_options import GivenSettings, option_names, options_in_errors, setting_options
from emailrouter.cli.tables import Column
from router.channels import CHANNELS
from router.filters import IntegrationFilter


@click.group(cls=WorkspaceGroup, name="integration")
def group() -> None:
    """Manage integrations, such as Slack channels.

    Each integration posts the tickets of its aliases to one service.
    """


@group.command("list", examples=["integration list", "integration list --status failing"])
@filter_options(IntegrationFilter)
@paging_options
@with_context()
async def list_command(context: CommandContext, *, filters: FilterOptions[IntegrationFilter], paging: Paging) -> None:
    """List the integrations, newest first."""
    page = await paging.collect(partial(context.services.integrations.list, context.actor, await filters.read(context)))
    columns = (
        Column("Name", "name"),
        Column("Type", "type"),
        Column("Status", "status"),
        Column("Last error", "lastError", shorten=True),
        Column("Posts to", "hint", shorten=True, optional=True),
        Column("ID", "id", optional=True),
    )
    context.print_list("integrations", to_rows(page, IntegrationAnswer.from_model), columns)


@group.command("show", examples=["integration show support"])
@click.argument("integration", metavar="NAME|ID")
@with_context()
async def show(context: CommandContext, integration: str) -> None:
    """Show one integration. Its secret settings are masked."""
    found = await context.services.integrations.get(
        context.actor, await context.lookup.find_integration_id(context.actor, integration)
    )
    context.print_object(to_json(IntegrationAnswer.from_model(found)))


@group.command("add", examples=["integration add support", "integration add ops --webhook-url-file webhook.txt"])
@click.argument("name")
@click.option(
    "--type",
    "kind",
    type=click.Choice(sorted(CHANNELS)),
    default=next(iter(CHANNELS)),
    show_default=True,
    help="Type of the integration.",
)
@setting_options
@with_context(secrets=True)
async def add(context: CommandContext, name: str, kind: str, given: GivenSettings) -> None:
    """Add an integration.

    Prompts for the webhook URL. Nothing is sent; see `integration test`.
    """
    settings = given.read_new(CHANNELS[kind])
    _warn_of_foreign_host(context, kind, settings)
    with options_in_errors():
        created = await context.services.integrations.create(context.actor, type=kind, name=name, settings=settings)
    context.print_object(to_json(IntegrationAnswer.from_model(created)))


@group.command("change", examples=["integration change support --name billing"])
@click.argument("integration", metavar="NAME|ID")
@click.option("--name", help="New name.")
@setting_options
@with_context(secrets=True)
async def change(context: CommandContext, integration: str, name: str | None, given: GivenSettings) -> None:
    """Change the name or settings of an integration. New settings retry its held deliveries."""
    if name is None and not given:
        raise click.UsageError(f"nothing to change: use {option_names()}")
    settings = given.read() or None
    integration_id = await context.lookup.find_integration_id(context.actor, integration)
    found = await context.services.integrations.get(context.actor, integration_id)
    if found.type in CHANNELS:
        given.check_type(CHANNELS[found.type])
        _warn_of_foreign_host(context, found.type, settings or {})
    with options_in_errors():
        changed = await context.services.integrations.change(context.actor, found.id, name=name, settings=settings)
    context.print_object(to_json(IntegrationAnswer.from_model(changed)))


def _warn_of_foreign_host(context: CommandContext, kind: str, settings: Mapping[str, object]) -> None:
    host = context.services.integrations.find_foreign_host(kind, settings)
    if host is not None:
        label = CHANNELS[kind].label
        click.echo(f"Warning: {host} does not belong to {label}. All tickets of this integration go there.", err=True)


@group.command("test", examples=["integration test support"])
@click.argument("integration", metavar="NAME|ID")
@with_context(secrets=True)
async def test(context: CommandContext, integration: str) -> int:
    """Send a test message and print the response. Exit code 1 if it was not delivered."""
    result = await context.services.integrations.test(
        context.actor, await context.lookup.find_integration_id(context.actor, integration)
    )
    context.print_object(to_json(IntegrationTested.from_model(result)))
    return 0 if result.ok else 1


@group.command("remove", examples=["integration remove support"])
@click.argument("integration", metavar="NAME|ID")
@confirmation_option
@with_context()
async def remove(context: CommandContext, integration: str, yes: bool) -> None:
    """Remove an integration that no alias uses. Its queued deliveries fail permanently (state `dead`)."""
    found = await context.services.integrations.get(
        context.actor, await context.lookup.find_integration_id(context.actor, integration)
    )
    confirm(f"Remove the integration {found.name} ({found.hint})?", yes=yes)
    await context.services.integrations.delete(context.actor, found.id)
    context.print_result({"id": found.id, "removed": True}, f"{found.name} was removed.")


COMMANDS = (group,)
