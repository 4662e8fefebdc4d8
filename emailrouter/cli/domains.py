"""`domain` commands."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from textwrap import indent

import click

from api.schema.domains import DomainAnswer, DomainCreated, DomainDetail, SmarthostTested
from emailrouter.cli.context import (
    CommandContext,
    WorkspaceGroup,
    confirm,
    confirmation_option,
    read_secret,
    to_json,
    with_context,
)
from emailrouter.cli.paging import Paging, paging_options, to_rows
from emailrouter.cli.parameters import FilterOptions, filter_options
from emailrouter.cli.tables import Column
from router.admin.domains.domain_view import DomainView
from router.admin.domains.smarthost_setting import SmarthostSetting
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
        Column("Sending", "sending"),
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


@group.command(
    "sending", examples=["domain sending example.com --enable", "domain sending example.com --disable --json"]
)
@click.argument("domain")
@click.option("--enable/--disable", "enabled", required=True, help="Whether replies are sent from the domain.")
@with_context(secrets=True)
async def sending(context: CommandContext, domain: str, enabled: bool) -> None:
    """Turn sending of replies from a domain on or off.

    Makes the DKIM key the first time, and prints the DNS records to add. Replies can be sent once DNS shows the key.
    """
    domain_id = await context.lookup.find_domain_id(context.actor, domain)
    _print_detail(context, await context.services.sending.set_enabled(context.actor, domain_id, enabled))


@group.command("rotate-dkim", examples=["domain rotate-dkim example.com"])
@click.argument("domain")
@with_context(secrets=True)
async def rotate_dkim(context: CommandContext, domain: str) -> None:
    """Make the next DKIM key of a domain.

    The current key signs until DNS shows the record of the next one. The old record can be removed 7 days later.
    """
    domain_id = await context.lookup.find_domain_id(context.actor, domain)
    _print_detail(context, await context.services.sending.rotate(context.actor, domain_id))


@group.command(
    "smarthost",
    examples=[
        "domain smarthost acme.org --url smtps://a@mx.acme.org --password -",
        "domain smarthost example.com --test",
        "domain smarthost example.com --remove",
    ],
)
@click.argument("domain")
@click.option("--url", help="smtps://user@host:465, or smtp://user@host:587 with STARTTLS. Only public hosts.")
@click.option("--password", metavar="-", help="Use `-` to read the password from standard input.")
@click.option(
    "--password-file",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Read the password from a file. Without one, the password of the same user and host stays.",
)
@click.option("--remove", is_flag=True, help="Use the smarthost of the installation.")
@click.option("--test", "is_test", is_flag=True, help="Connect and sign in, without sending anything.")
@with_context(secrets=True)
async def smarthost(
    context: CommandContext,
    domain: str,
    *,
    url: str | None,
    password: str | None,
    password_file: Path | None,
    remove: bool,
    is_test: bool,
) -> int:
    """Set, remove or test the smarthost of a domain.

    It is the mail server that sends the replies from the domain. Exit code 1 if the test fails.
    """
    if [url is not None, remove, is_test].count(True) != 1:
        raise click.UsageError("give one of --url, --remove and --test")
    has_password = password is not None or password_file is not None
    if has_password and url is None:
        raise click.UsageError("--password and --password-file require --url")
    domain_id = await context.lookup.find_domain_id(context.actor, domain)
    if is_test:
        return await _test_smarthost(context, domain_id)
    clear = read_secret(password, password_file, prompt="Password", option="--password") if has_password else None
    setting = None if url is None else SmarthostSetting(url, clear)
    _print_detail(context, await context.services.sending.set_smarthost(context.actor, domain_id, setting))
    return 0


async def _test_smarthost(context: CommandContext, domain_id: str) -> int:
    result = await context.services.sending.test_smarthost(context.actor, domain_id)
    ok = result.kind == "accepted"
    context.print_object(to_json(SmarthostTested.from_model(result, ok=ok)))
    return 0 if ok else 1


COMMANDS = (group,)


def _print_detail(context: CommandContext, view: DomainView) -> None:
    detail = to_json(DomainDetail.from_view(view))
    if context.as_json:
        context.print_object(detail)
        return
    # The zone file has the strings of long values.
    detail["records"] = [{key: value for key, value in row.items() if key != "strings"} for row in detail["records"]]
    detail["smarthost"] = view.smarthost
    context.print_object({name: value for name, value in detail.items() if name != "zoneFile"})
    click.echo(f"\nZone file\n{indent(view.zone_file, '  ')}", nl=False)
