"""`domain` commands."""

from __future__ import annotations

from functools import partial
from textwrap import indent

import click

from api.schema.domains import DomainAnswer, DomainCreated, DomainDetail
from emailrouter.cli.context import CommandContext, WorkspaceGroup, confirm, confirmation_option, to_json, with_context
from emailrouter.cli.paging import Paging, paging_options, to_rows
from emailrouter.cli.parameters import FilterOptions, filter_options
from emailrouter.cli.tables import Column
from router.admin.domains.domain_view import DomainView
from router.dns.receivers import find_private_name, warn_of_private_name
from router.errors import Refused
from router.filters import DomainFilter

_RECORDS = "Add these records at your DNS provider, then run: emailrouter domain verify"


@click.group(cls=WorkspaceGroup, name="domain")
def group() -> None:
    """Manage mail domains and their verification by DNS records."""


@group.command("list", examples=["domain list", "domain list --status pending_verification"])
@filter_options(DomainFilter)
@paging_options
@with_context()
async def list_command(context: CommandContext, *, filters: FilterOptions[DomainFilter], paging: Paging) -> None:
    """List the domains, newest first."""
    page = await paging.collect(partial(context.services.domains.list, context.actor, await filters.read(context)))
    columns = (
        Column("Domain", "domain"),
        Column("Status", "status"),
        Column("Created", "createdAt", optional=True, is_time=True),
        Column("ID", "id", optional=True),
    )
    context.print_list("domains", to_rows(page, DomainAnswer.from_model), columns)


@group.command("show", examples=["domain show example.com"])
@click.argument("domain")
@with_context()
async def show(context: CommandContext, domain: str) -> None:
    """Show a domain and its DNS records.

    Prints the results of the last DNS check, and how to fix wrong records.
    """
    view = await context.services.domains.get(context.actor, await context.lookup.find_domain_id(context.actor, domain))
    _print_detail(context, view)


@group.command("add", examples=["domain add example.com"])
@click.argument("domain")
@with_context()
async def add(context: CommandContext, domain: str) -> None:
    """Add a domain and print the DNS records that verify it.

    Warns if another server receives its mail.
    """
    await _warn(context, domain)
    view = await context.services.domains.create(context.actor, domain)
    if context.as_json:
        context.print_object(to_json(DomainCreated.from_view(view, context.services.domains.mx_hosts)))
        return
    click.echo(f"{view.domain.name} was added. {_RECORDS} {view.domain.name}\n")
    click.echo(indent(view.zone_file, "  "), nl=False)


async def _warn(context: CommandContext, domain: str) -> None:
    """Warns before a domain is added. A name server that does not respond delays the command by a few seconds."""
    preview = await context.services.domains.preview(context.actor, domain)
    if preview.name_without_www:
        click.echo(
            f"Warning: Mail is rarely sent to {preview.name}. Did you mean {preview.name_without_www}?", err=True
        )
    if preview.failure:
        click.echo(
            f"Warning: It is unknown who receives the mail of {preview.name} now ({preview.failure}). If another "
            "server does, changing the MX records moves all mail.",
            err=True,
        )
    private_name = find_private_name(context.services.domains.mx_hosts)
    if private_name:
        click.echo(f"Warning: {warn_of_private_name(private_name)}", err=True)
    if preview.warning:
        click.echo(f"Warning: {preview.warning}", err=True)


@group.command("verify", examples=["domain verify example.com"])
@click.argument("domain")
@with_context()
async def verify(context: CommandContext, domain: str) -> int:
    """Check the DNS records of a domain now. Exit code 1 while the domain is not verified."""
    view = await context.services.domains.verify(
        context.actor, await context.lookup.find_domain_id(context.actor, domain)
    )
    _print_detail(context, view)
    return 0 if view.domain.status == "active" else 1


@group.command("change", examples=["domain change example.com --mx-upstream"])
@click.argument("domain")
@click.option(
    "--mx-upstream/--mx-here",
    required=True,
    help="Whether the MX records point to another relay that forwards the mail (then the TXT record alone verifies "
    "the domain), or to this installation.",
)
@with_context()
async def change(context: CommandContext, domain: str, mx_upstream: bool) -> None:
    """Set whether another relay receives the mail of a domain first."""
    domain_id = await context.lookup.find_domain_id(context.actor, domain)
    view = await context.services.domains.set_mx_upstream(context.actor, domain_id, mx_upstream)
    _print_detail(context, view)


@group.command("remove", examples=["domain remove example.com"])
@click.argument("domain")
@click.option("--force", is_flag=True, help="Also remove its aliases.")
@confirmation_option
@with_context()
async def remove(context: CommandContext, domain: str, force: bool, yes: bool) -> None:
    """Remove a domain. Its mail is rejected; its tickets are kept."""
    view = await context.services.domains.get(context.actor, await context.lookup.find_domain_id(context.actor, domain))
    if view.alias_count and not force:
        raise Refused(
            "in_use", f"{view.domain.name} has aliases ({view.alias_count}): remove them first, or use --force"
        )
    aliases = f" and its aliases ({view.alias_count})" if view.alias_count else ""
    confirm(f"Remove {view.domain.name}{aliases}? Its mail will be rejected.", yes=yes)
    await context.services.domains.delete(context.actor, view.domain.id, force=force)
    context.print_result({"id": view.domain.id, "removed": True}, f"{view.domain.name} was removed.")


COMMANDS = (group,)


def _print_detail(context: CommandContext, view: DomainView) -> None:
    detail = to_json(DomainDetail.from_view(view))
    if context.as_json:
        context.print_object(detail)
        return
    context.print_object({name: value for name, value in detail.items() if name != "zoneFile"})
    click.echo(f"\nZone file\n{indent(view.zone_file, '  ')}", nl=False)
