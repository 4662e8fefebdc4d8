"""`alias`: the addresses of a workspace."""

from __future__ import annotations

import click

from api.schema.routing import AliasAnswer, AliasTested
from emailrouter.cli import desk
from emailrouter.cli.desk import Desk
from router.errors import Refused
from router.model import Alias


@click.group(cls=desk.Group, name="alias")
def group() -> None:
    """Manage aliases: each address sends its tickets to one integration. `*@example.com` is the catch-all."""


@group.command("list")
@click.option("--domain", metavar="DOMAIN", help="Only aliases of this domain.")
@desk.paged
@desk.at_desk()
async def list_command(at: Desk, domain: str | None, limit: int | None, cursor: str | None) -> None:
    """List the aliases, newest first."""
    domain_id = None if domain is None else await at.names.find_domain_id(at.actor, domain)
    page = await desk.collect(
        lambda n, c: at.services.aliases.list(at.actor, domain_id=domain_id, limit=n, cursor=c),
        limit=limit,
        cursor=cursor,
    )
    columns = {"email": "email", "integration": "integrationId", "status": "status", "id": "id"}
    names = await at.display_names(alias.integration_id for alias in page.items)
    at.listed("aliases", desk.as_rows(page, AliasAnswer.from_model), columns, integrationId=names)


@group.command("show")
@click.argument("alias", metavar="ADDRESS|ID")
@desk.at_desk()
async def show(at: Desk, alias: str) -> None:
    """Show one alias."""
    await _one(at, await at.services.aliases.get(at.actor, await at.names.find_alias_id(at.actor, alias)))


@group.command("add")
@click.argument("address")
@click.option("--integration", metavar="NAME|ID", required=True, help="Integration that receives its tickets.")
@desk.at_desk()
async def add(at: Desk, address: str, integration: str) -> None:
    """Add an alias. It accepts mail as soon as its domain is verified."""
    local_part, at_sign, domain = address.rpartition("@")
    if not at_sign:
        raise Refused("invalid_alias", f"{address!r} is not an email address")
    domain_id = await at.names.find_domain_id(at.actor, domain)
    integration_id = await at.names.find_integration_id(at.actor, integration)
    made = await at.services.aliases.create(
        at.actor, domain_id=domain_id, local_part=local_part, integration_id=integration_id
    )
    await _one(at, made)


@group.command("change")
@click.argument("alias", metavar="ADDRESS|ID")
@click.option("--integration", metavar="NAME|ID", required=True, help="Integration that will receive its tickets.")
@desk.at_desk()
async def change(at: Desk, alias: str, integration: str) -> None:
    """Change the integration of an alias."""
    alias_id = await at.names.find_alias_id(at.actor, alias)
    integration_id = await at.names.find_integration_id(at.actor, integration)
    await _one(at, await at.services.aliases.change(at.actor, alias_id, integration_id=integration_id))


def _switch(name: str, status: str, about: str) -> None:
    @group.command(name, help=about)
    @click.argument("alias", metavar="ADDRESS|ID")
    @desk.at_desk()
    async def switch(at: Desk, alias: str) -> None:
        alias_id = await at.names.find_alias_id(at.actor, alias)
        changed = await at.services.aliases.change(at.actor, alias_id, status=status)
        at.said(desk.as_json(AliasAnswer.from_model(changed)), f"{changed.email} is {name}d.")


_switch("disable", "disabled", "Reject mail to an alias with 550 5.2.1 until it is enabled.")
_switch("enable", "active", "Accept mail to a disabled alias again.")


@group.command("test")
@click.argument("alias", metavar="ADDRESS|ID")
@desk.at_desk()
async def test(at: Desk, alias: str) -> None:
    """Accept a test message for an alias as if it had arrived by SMTP. A running deliver process posts its ticket."""
    result = await at.services.aliases.test(at.actor, await at.names.find_alias_id(at.actor, alias))
    at.one(desk.as_json(AliasTested.from_model(result)))


@group.command("remove")
@click.argument("alias", metavar="ADDRESS|ID")
@desk.confirmed
@desk.at_desk()
async def remove(at: Desk, alias: str, yes: bool) -> None:
    """Remove an alias. Its mail is rejected, or goes to the catch-all; its tickets are kept."""
    found = await at.services.aliases.get(at.actor, await at.names.find_alias_id(at.actor, alias))
    desk.confirm(f"Remove {found.email}?", yes=yes)
    await at.services.aliases.delete(at.actor, found.id)
    at.said({"id": found.id, "removed": True}, f"{found.email} was removed.")


async def _one(at: Desk, alias: Alias) -> None:
    names = await at.display_names([alias.integration_id])
    at.one(desk.as_json(AliasAnswer.from_model(alias)), integrationId=names)


COMMANDS = (group,)
