"""`workspace` commands."""

from __future__ import annotations

import click

from api.schema.accounts import WorkspaceAnswer
from emailrouter.assembly.core import Core
from emailrouter.cli import console
from emailrouter.cli.context import (
    CommandContext,
    WorkspaceGroup,
    confirm,
    confirmation_option,
    run_with_core,
    to_json,
    with_context,
)
from emailrouter.cli.parameters import ChoiceType
from emailrouter.cli.sender_check_options import describe_checks, sender_check_options
from emailrouter.cli.tables import Column
from emailrouter.first_login import first_address, format_login
from router.admin.installation.first_workspace import FirstLogin
from router.admin.installation.workspace_admin import WorkspaceAdminService
from router.admin.lookup import LookupService
from router.errors import Refused
from router.local_time import LOCALE
from router.model import Workspace


@click.group(cls=WorkspaceGroup, name="workspace")
def group() -> None:
    """Manage workspaces.

    Users, domains, integrations and tickets belong to exactly one workspace.
    """


@group.command("list", examples=["workspace list"])
@console.wide_option
@click.pass_context
def list_command(ctx: click.Context) -> None:
    """List the workspaces of this installation."""

    async def work(core: Core) -> None:
        found = await LookupService(core.database).list_workspaces()
        if console.get_invocation(ctx).as_json:
            console.print_json({"workspaces": [to_json(WorkspaceAnswer.from_model(workspace)) for workspace in found]})
            return
        rows = [to_json(WorkspaceAnswer.from_model(workspace)) for workspace in found]
        columns = (
            Column("Name", "name"),
            Column("ID", "id"),
            Column("Created", "createdAt", optional=True, is_time=True),
        )
        console.print_table(columns, rows, console.table_width(ctx))

    run_with_core(ctx, work)


@group.command("show", examples=["workspace show"])
@with_context()
async def show(context: CommandContext) -> None:
    """Show the workspace."""
    found = await context.services.workspaces.get(context.actor)
    await _print_workspace(context, found)


@group.command("create", examples=["workspace create Billing --email boss@example.com"])
@click.argument("name")
@click.option("--email", metavar="E", required=True, help="Sign-in address of its first admin.")
@click.pass_context
def create(ctx: click.Context, name: str, email: str) -> None:
    """Create another workspace with its first admin.

    The password and an API key are printed once. If there are several workspaces, `[dns] verification = "auto"` also
    requires the TXT record of a domain.
    """

    async def work(core: Core) -> FirstLogin:
        workspace_admin = WorkspaceAdminService(core.database, core.clock)
        if not await LookupService(core.database).list_workspaces():
            raise Refused("conflict", "there is no workspace yet: create the first one with `emailrouter init`")
        return await workspace_admin.create(name, email)

    login = run_with_core(ctx, work)
    invocation = console.get_invocation(ctx)
    if invocation.as_json:
        console.print_json(
            {"workspaceId": login.workspace_id, "email": login.email, "password": login.password, "key": login.key}
        )
    else:
        click.echo(
            format_login(login, first_address(invocation.load_config())).replace("this installation", "this workspace")
        )


@group.command("change", examples=["workspace change --timezone Europe/Berlin --locale de"])
@click.option("--name", help="New name.")
@click.option(
    "--default-integration",
    metavar="NAME|ID",
    help="Integration for mail to postmaster addresses that have no active alias.",
)
@click.option(
    "--no-default-integration",
    is_flag=True,
    help="Do not post tickets for mail to postmaster addresses that have no active alias.",
)
@click.option("--timezone", metavar="ZONE", help="IANA time zone for displayed times, such as Europe/Berlin.")
@click.option("--locale", type=ChoiceType(LOCALE), help="Language tag that sets the date format.")
@sender_check_options("default", "`default` restores the default")
@with_context()
async def change(
    context: CommandContext,
    *,
    name: str | None,
    default_integration: str | None,
    no_default_integration: bool,
    timezone: str | None,
    locale: str | None,
    sender_checks: dict[str, object],
) -> None:
    """Change the settings of the workspace."""
    if default_integration and no_default_integration:
        raise click.UsageError("--default-integration and --no-default-integration cannot be used together")
    given = [each for each in (name, default_integration, timezone, locale) if each is not None]
    if not given and not no_default_integration and not sender_checks:
        raise click.UsageError(
            "nothing to change: use --name, --default-integration, --no-default-integration, --timezone, --locale, "
            "--on-fail, --on-spam or --spam-score"
        )
    integration_id = default_integration and await context.lookup.find_integration_id(
        context.actor, default_integration
    )
    changed = await context.services.workspaces.change(
        context.actor,
        name=name,
        default_integration_id=integration_id,
        clear_default_integration=no_default_integration,
        timezone=timezone,
        locale=locale,
        sender_checks=sender_checks,
    )
    await _print_workspace(context, changed)


@group.command("remove", examples=["workspace remove Billing"])
@click.argument("workspace", metavar="ID|NAME")
@confirmation_option
@click.pass_context
def remove(ctx: click.Context, workspace: str, yes: bool) -> None:
    """Delete a workspace and everything in it.

    Deletes its users, domains, tickets and messages.
    """

    async def work(core: Core) -> str:
        found = await LookupService(core.database).find_workspace(workspace)
        workspace_admin = WorkspaceAdminService(core.database, core.clock)
        contents = await workspace_admin.count_contents(found.id)
        confirm(
            f"Delete {found.name} ({found.id}) with {contents.domains} domains, {contents.users} users, "
            f"{contents.tickets} tickets and {contents.messages} messages?",
            yes=yes,
        )
        await workspace_admin.erase(found.id)
        return found.id

    workspace_id = run_with_core(ctx, work)
    if console.get_invocation(ctx).as_json:
        console.print_json({"id": workspace_id, "removed": True})
    else:
        click.echo(f"{workspace_id} was deleted.")


async def _print_workspace(context: CommandContext, workspace: Workspace) -> None:
    names = await context.display_names([workspace.default_integration_id])
    data = to_json(WorkspaceAnswer.from_model(workspace))
    data = data if context.as_json else describe_checks(data, "as rspamd")
    context.print_object(data, defaultIntegrationId=names)


COMMANDS = (group,)
