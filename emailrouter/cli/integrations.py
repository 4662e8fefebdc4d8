"""`integration` commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from api.schema.routing import IntegrationAnswer, IntegrationTested
from emailrouter.cli.context import (
    CommandContext,
    WorkspaceGroup,
    collect_pages,
    confirm,
    confirmation_option,
    paging_options,
    read_secret,
    to_json,
    to_rows,
    with_context,
)
from router.channels import CHANNELS

F = TypeVar("F", bound=Callable[..., Any])


@click.group(cls=WorkspaceGroup, name="integration")
def group() -> None:
    """Manage integrations: each posts the tickets of its aliases to one webhook."""


def _webhook_options(function: F) -> F:
    function = click.option(
        "--webhook-url-file", type=click.Path(path_type=Path), metavar="PATH", help="Read the webhook URL from a file."
    )(function)
    return click.option("--webhook-url", metavar="-", help="Use `-` to read the URL from standard input.")(function)


@group.command("list")
@paging_options
@with_context()
async def list_command(context: CommandContext, limit: int | None, cursor: str | None) -> None:
    """List the integrations, newest first."""
    page = await collect_pages(
        lambda n, c: context.services.integrations.list(context.actor, limit=n, cursor=c), limit=limit, cursor=cursor
    )
    columns = {
        "name": "name",
        "type": "type",
        "status": "status",
        "last error": "lastError",
        "to": "hint",
        "id": "id",
    }
    context.print_list("integrations", to_rows(page, IntegrationAnswer.from_model), columns)


@group.command("show")
@click.argument("integration", metavar="NAME|ID")
@with_context()
async def show(context: CommandContext, integration: str) -> None:
    """Show one integration, with its webhook URL masked."""
    found = await context.services.integrations.get(
        context.actor, await context.lookup.find_integration_id(context.actor, integration)
    )
    context.print_object(to_json(IntegrationAnswer.from_model(found)))


@group.command("add")
@click.argument("name")
@click.option(
    "--type",
    "kind",
    type=click.Choice(sorted(CHANNELS)),
    default="slack",
    show_default=True,
    help="Type of the integration.",
)
@_webhook_options
@with_context(secrets=True)
async def add(
    context: CommandContext, name: str, kind: str, webhook_url: str | None, webhook_url_file: Path | None
) -> None:
    """Add an integration and prompt for its webhook URL. Nothing is sent; see `integration test`."""
    url = read_secret(webhook_url, webhook_url_file, prompt="Webhook URL", option="--webhook-url")
    created = await context.services.integrations.create(
        context.actor, type=kind, name=name, settings={"webhookUrl": url}
    )
    context.print_object(to_json(IntegrationAnswer.from_model(created)))


@group.command("change")
@click.argument("integration", metavar="NAME|ID")
@click.option("--name", help="New name.")
@_webhook_options
@with_context(secrets=True)
async def change(
    context: CommandContext, integration: str, name: str | None, webhook_url: str | None, webhook_url_file: Path | None
) -> None:
    """Change the name or webhook URL of an integration. A new URL retries its parked deliveries."""
    settings = None
    if webhook_url is not None or webhook_url_file is not None:
        url = read_secret(webhook_url, webhook_url_file, prompt="Webhook URL", option="--webhook-url")
        settings = {"webhookUrl": url}
    if name is None and settings is None:
        raise click.UsageError("nothing to change: use --name, --webhook-url or --webhook-url-file")
    integration_id = await context.lookup.find_integration_id(context.actor, integration)
    changed = await context.services.integrations.change(context.actor, integration_id, name=name, settings=settings)
    context.print_object(to_json(IntegrationAnswer.from_model(changed)))


@group.command("test")
@click.argument("integration", metavar="NAME|ID")
@with_context(secrets=True)
async def test(context: CommandContext, integration: str) -> int:
    """Send a test message and print the response. Exit code 1 if it was not delivered."""
    result = await context.services.integrations.test(
        context.actor, await context.lookup.find_integration_id(context.actor, integration)
    )
    context.print_object(to_json(IntegrationTested.from_model(result)))
    return 0 if result.ok else 1


@group.command("remove")
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
