"""`integration`: the places that a workspace's tickets are posted to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from api.schema.routing import IntegrationAnswer, IntegrationTested
from emailrouter.cli import desk
from emailrouter.cli.desk import Desk
from router.channels import CHANNELS

F = TypeVar("F", bound=Callable[..., Any])


@click.group(cls=desk.Group, name="integration")
def group() -> None:
    """Manage integrations: each posts the tickets of its aliases to one webhook."""


def _webhook(function: F) -> F:
    function = click.option(
        "--webhook-url-file", type=click.Path(path_type=Path), metavar="PATH", help="Read the webhook URL from a file."
    )(function)
    return click.option("--webhook-url", metavar="-", help="Use `-` to read the URL from standard input.")(function)


@group.command("list")
@desk.paged
@desk.at_desk()
async def list_command(at: Desk, limit: int | None, cursor: str | None) -> None:
    """List the integrations, newest first."""
    page = await desk.collect(
        lambda n, c: at.services.integrations.list(at.actor, limit=n, cursor=c), limit=limit, cursor=cursor
    )
    columns = {
        "name": "name",
        "type": "type",
        "status": "status",
        "last error": "lastError",
        "to": "hint",
        "id": "id",
    }
    at.listed("integrations", desk.as_rows(page, IntegrationAnswer.from_model), columns)


@group.command("show")
@click.argument("integration", metavar="NAME|ID")
@desk.at_desk()
async def show(at: Desk, integration: str) -> None:
    """Show one integration, with its webhook URL masked."""
    found = await at.services.integrations.get(at.actor, await at.names.find_integration_id(at.actor, integration))
    at.one(desk.as_json(IntegrationAnswer.from_model(found)))


@group.command("add")
@click.argument("name")
@click.option("--type", "kind", type=click.Choice(sorted(CHANNELS)), default="slack", show_default=True)
@_webhook
@desk.at_desk(secrets=True)
async def add(at: Desk, name: str, kind: str, webhook_url: str | None, webhook_url_file: Path | None) -> None:
    """Add an integration and prompt for its webhook URL. Nothing is sent; see `integration test`."""
    url = desk.secret_text(webhook_url, webhook_url_file, prompt="Webhook URL", option="--webhook-url")
    made = await at.services.integrations.create(at.actor, type=kind, name=name, settings={"webhookUrl": url})
    at.one(desk.as_json(IntegrationAnswer.from_model(made)))


@group.command("change")
@click.argument("integration", metavar="NAME|ID")
@click.option("--name", help="New name.")
@_webhook
@desk.at_desk(secrets=True)
async def change(
    at: Desk, integration: str, name: str | None, webhook_url: str | None, webhook_url_file: Path | None
) -> None:
    """Change the name or webhook URL of an integration. A new URL retries the deliveries that are waiting."""
    settings = None
    if webhook_url is not None or webhook_url_file is not None:
        url = desk.secret_text(webhook_url, webhook_url_file, prompt="Webhook URL", option="--webhook-url")
        settings = {"webhookUrl": url}
    if name is None and settings is None:
        raise click.UsageError("nothing to change: use --name, --webhook-url or --webhook-url-file")
    integration_id = await at.names.find_integration_id(at.actor, integration)
    changed = await at.services.integrations.change(at.actor, integration_id, name=name, settings=settings)
    at.one(desk.as_json(IntegrationAnswer.from_model(changed)))


@group.command("test")
@click.argument("integration", metavar="NAME|ID")
@desk.at_desk(secrets=True)
async def test(at: Desk, integration: str) -> int:
    """Send a test message and print the response. Exit code 1 if it was not delivered."""
    result = await at.services.integrations.test(at.actor, await at.names.find_integration_id(at.actor, integration))
    at.one(desk.as_json(IntegrationTested.from_model(result)))
    return 0 if result.ok else 1


@group.command("remove")
@click.argument("integration", metavar="NAME|ID")
@desk.confirmed
@desk.at_desk()
async def remove(at: Desk, integration: str, yes: bool) -> None:
    """Remove an integration that no alias uses. Its pending deliveries become dead."""
    found = await at.services.integrations.get(at.actor, await at.names.find_integration_id(at.actor, integration))
    desk.confirm(f"Remove the integration {found.name} ({found.hint})?", yes=yes)
    await at.services.integrations.delete(at.actor, found.id)
    at.said({"id": found.id, "removed": True}, f"{found.name} was removed.")


COMMANDS = (group,)
