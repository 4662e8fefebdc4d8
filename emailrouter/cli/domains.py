"""`domain`: the mail domains of a workspace."""

from __future__ import annotations

import click

from api.schema.routing import DomainAnswer, DomainCreated, DomainDetail
from emailrouter.cli import desk
from emailrouter.cli.desk import Desk

_RECORDS = "Add these records at your DNS provider, then run: emailrouter domain verify"


@click.group(cls=desk.Group, name="domain")
def group() -> None:
    """Manage mail domains and their verification by DNS records."""


@group.command("list")
@desk.paged
@desk.at_desk()
async def list_command(at: Desk, limit: int | None, cursor: str | None) -> None:
    """List the domains, newest first."""
    page = await desk.collect(
        lambda n, c: at.services.domains.list(at.actor, limit=n, cursor=c), limit=limit, cursor=cursor
    )
    columns = {"domain": "domain", "status": "status", "id": "id", "created": "createdAt"}
    at.listed("domains", desk.as_rows(page, DomainAnswer.from_model), columns)


@group.command("show")
@click.argument("domain")
@desk.at_desk()
async def show(at: Desk, domain: str) -> None:
    """Show a domain with its DNS records as of the last check, and the fix for each."""
    view = await at.services.domains.get(at.actor, await at.names.find_domain_id(at.actor, domain))
    at.one(desk.as_json(DomainDetail.from_view(view)))


@group.command("add")
@click.argument("domain")
@desk.at_desk()
async def add(at: Desk, domain: str) -> None:
    """Add a domain and print the DNS records that verify it."""
    view = await at.services.domains.create(at.actor, domain)
    if at.as_json:
        at.one(desk.as_json(DomainCreated.from_model(view, at.services.domains.mx_hosts)))
        return
    click.echo(f"{view.domain.name} was added. {_RECORDS} {view.domain.name}\n")
    for host, priority in at.services.domains.mx_hosts:
        click.echo(f"  {view.domain.name}.  MX   {priority} {host}.")
    for record in view.records:
        if record.type == "TXT":
            click.echo(f'  {record.name}.  TXT  "{record.expected[0]}"')


@group.command("verify")
@click.argument("domain")
@desk.at_desk()
async def verify(at: Desk, domain: str) -> int:
    """Check the DNS records of a domain now. Exit code 1 while the domain is not verified."""
    view = await at.services.domains.verify(at.actor, await at.names.find_domain_id(at.actor, domain))
    at.one(desk.as_json(DomainDetail.from_view(view)))
    return 0 if view.domain.status == "active" else 1


@group.command("change")
@click.argument("domain")
@click.option(
    "--mx-upstream/--mx-here",
    required=True,
    help="The MX records point to another relay that forwards the mail (the TXT record alone verifies the domain), "
    "or to this installation.",
)
@desk.at_desk()
async def change(at: Desk, domain: str, mx_upstream: bool) -> None:
    """Set whether another relay receives the mail first."""
    domain_id = await at.names.find_domain_id(at.actor, domain)
    view = await at.services.domains.set_mx_upstream(at.actor, domain_id, mx_upstream)
    at.one(desk.as_json(DomainDetail.from_view(view)))


@group.command("remove")
@click.argument("domain")
@click.option("--force", is_flag=True, help="Also remove its aliases.")
@desk.confirmed
@desk.at_desk()
async def remove(at: Desk, domain: str, force: bool, yes: bool) -> None:
    """Remove a domain. Its mail is rejected; its tickets are kept."""
    view = await at.services.domains.get(at.actor, await at.names.find_domain_id(at.actor, domain))
    if force or not view.alias_count:
        aliases = f" with its {view.alias_count} aliases" if view.alias_count else ""
        desk.confirm(f"Remove {view.domain.name}{aliases}? Its mail will be rejected.", yes=yes)
    await at.services.domains.delete(at.actor, view.domain.id, force=force)
    at.said({"id": view.domain.id, "removed": True}, f"{view.domain.name} was removed.")


COMMANDS = (group,)
