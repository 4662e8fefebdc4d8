"""`workspace`: the tenants of this installation."""

from __future__ import annotations

import click

from api.schema.people import WorkspaceAnswer
from emailrouter.assembly.core import Core
from emailrouter.cli import desk, frame
from emailrouter.cli.desk import Desk
from emailrouter.first_login import as_text, first_address
from router.admin.installation.first_workspace import FirstLogin
from router.admin.installation.workspace_admin import WorkspaceAdminService
from router.admin.lookup import LookupService
from router.errors import Refused
from router.local_time import LOCALES
from router.model import Workspace


@click.group(cls=desk.Group, name="workspace")
def group() -> None:
    """Workspaces: users, domains, integrations and tickets belong to exactly one."""


@group.command("list")
@click.pass_context
def list_command(context: click.Context) -> None:
    """List every workspace of this installation."""

    async def work(core: Core) -> None:
        found = await LookupService(core.database).list_workspaces()
        if frame.invocation(context).as_json:
            frame.print_json({"workspaces": [desk.as_json(WorkspaceAnswer.of(workspace)) for workspace in found]})
            return
        rows = [desk.as_json(WorkspaceAnswer.of(workspace)) for workspace in found]
        frame.print_table(["name", "id", "createdAt"], rows)

    desk.with_operator(context, work)


@group.command("show")
@desk.at_desk()
async def show(at: Desk) -> None:
    """Show the workspace (`--workspace`, where there are several)."""
    found = await at.services.workspaces.get(at.actor)
    await _one(at, found)


@group.command("create")
@click.argument("name")
@click.option("--email", metavar="E", required=True, help="Its first admin's address, to sign in with.")
@click.pass_context
def create(context: click.Context, name: str, email: str) -> None:
    """Make a further workspace with its first admin and API key; they are printed once.

    From the second workspace on, `[dns] verification = "auto"` asks for the TXT record of a domain too.
    """

    async def work(core: Core) -> FirstLogin:
        tenancy = WorkspaceAdminService(core.database, core.clock)
        if not await LookupService(core.database).list_workspaces():
            raise Refused("conflict", "there is no workspace yet: make the first one by `emailrouter init`")
        return await tenancy.create(name, email)

    login = desk.with_operator(context, work)
    invocation = frame.invocation(context)
    if invocation.as_json:
        frame.print_json(
            {"workspaceId": login.workspace_id, "email": login.email, "password": login.password, "key": login.key}
        )
    else:
        click.echo(as_text(login, first_address(invocation.config())).replace("this installation", "this workspace"))


@group.command("change")
@click.option("--name", help="Its new name.")
@click.option("--default-integration", metavar="NAME|ID", help="Where mail to the postmaster goes.")
@click.option("--no-default-integration", is_flag=True, help="Mail to the postmaster makes tickets, posted nowhere.")
@click.option("--timezone", metavar="ZONE", help="IANA time zone in which times are shown, such as Europe/Berlin.")
@click.option("--locale", type=click.Choice(LOCALES), help="Language tag for the format of dates.")
@desk.at_desk()
async def change(
    at: Desk,
    *,
    name: str | None,
    default_integration: str | None,
    no_default_integration: bool,
    timezone: str | None,
    locale: str | None,
) -> None:
    """Change the name, default integration, time zone or locale of the workspace."""
    if default_integration and no_default_integration:
        raise click.UsageError("--default-integration and --no-default-integration exclude each other")
    if not no_default_integration and (name, default_integration, timezone, locale) == (None,) * 4:
        raise click.UsageError(
            "nothing to change: give --name, --default-integration, --no-default-integration, --timezone or --locale"
        )
    integration_id = default_integration and await at.names.find_integration_id(at.actor, default_integration)
    changed = await at.services.workspaces.change(
        at.actor,
        name=name,
        default_integration_id=integration_id,
        without_default=no_default_integration,
        timezone=timezone,
        locale=locale,
    )
    await _one(at, changed)


@group.command("remove")
@click.argument("workspace", metavar="ID|NAME")
@desk.confirmed
@click.pass_context
def remove(context: click.Context, workspace: str, yes: bool) -> None:
    """Erase a workspace with everything that belongs to it: users, domains, tickets and mails."""

    async def work(core: Core) -> str:
        found = await LookupService(core.database).find_workspace(workspace)
        tenancy = WorkspaceAdminService(core.database, core.clock)
        lost = await tenancy.holdings(found.id)
        desk.confirm(
            f"Erase {found.name} ({found.id}) with {lost.domains} domains, {lost.users} users, "
            f"{lost.tickets} tickets and {lost.messages} mails?",
            yes=yes,
        )
        await tenancy.erase(found.id)
        return found.id

    erased = desk.with_operator(context, work)
    if frame.invocation(context).as_json:
        frame.print_json({"id": erased, "removed": True})
    else:
        click.echo(f"{erased} is erased.")


async def _one(at: Desk, workspace: Workspace) -> None:
    names = await at.display_names([workspace.default_integration_id])
    at.one(desk.as_json(WorkspaceAnswer.of(workspace)), defaultIntegrationId=names)


COMMANDS = (group,)
