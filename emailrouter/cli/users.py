"""`user` commands."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from api.schema.accounts import PasswordLinkAnswer, UserAnswer, UserCreated
from emailrouter import assembly
from emailrouter.cli.context import (
    CommandContext,
    Json,
    WorkspaceGroup,
    confirm,
    confirmation_option,
    read_secret,
    to_json,
    with_context,
)
from emailrouter.cli.paging import Paging, paging_options, to_rows
from emailrouter.cli.parameters import ChoiceType, FilterOptions, filter_options
from emailrouter.cli.tables import Column
from router import secrets
from router.enumerations import ROLE
from router.filters import UserFilter

_ROLE = ChoiceType(ROLE)


@click.group(cls=WorkspaceGroup, name="user")
def group() -> None:
    """Manage users and their roles."""


@group.command("list", examples=["user list", "user list --status invited"])
@filter_options(UserFilter)
@paging_options
@with_context()
async def list_command(context: CommandContext, *, filters: FilterOptions[UserFilter], paging: Paging) -> None:
    """List the users, newest first."""
    page = await paging.collect(partial(context.services.users.list, context.actor, await filters.read(context)))
    columns = (
        Column("Address", "email"),
        Column("Name", "name", shorten=True),
        Column("Role", "role"),
        Column("Can sign in", "canSignIn"),
        Column("Disabled", "disabledAt", optional=True, is_time=True),
        Column("ID", "id", optional=True),
    )
    context.print_list("users", to_rows(page, UserAnswer.from_model), columns)


@group.command("show", examples=["user show eve@example.com"])
@click.argument("user", metavar="EMAIL|ID")
@with_context()
async def show(context: CommandContext, user: str) -> None:
    """Show one user."""
    context.print_object(
        to_json(
            UserAnswer.from_model(
                await context.services.users.get(context.actor, await context.lookup.find_user_id(context.actor, user))
            )
        )
    )


@group.command("add", examples=["user add eve@example.com --name Eve --generate-password"])
@click.argument("email")
@click.option("--name", default="", help="Display name.")
@click.option("--role", type=_ROLE, default="agent", show_default=True, help="Role of the user.")
@click.option("--password", metavar="-", help="Use `-` to read the password from standard input.")
@click.option("--password-file", type=click.Path(path_type=Path), metavar="PATH", help="Read the password from a file.")
@click.option("--generate-password", is_flag=True, help="Generate a password and print it once.")
@click.option(
    "--timezone", metavar="ZONE", help="IANA time zone, such as Europe/Berlin.  [default: that of the workspace]"
)
@with_context()
async def add(
    context: CommandContext,
    *,
    email: str,
    name: str,
    role: str,
    password: str | None,
    password_file: Path | None,
    generate_password: bool,
    timezone: str | None,
) -> None:
    """Add a user. Without a password the user can use API keys but cannot sign in."""
    clear = _choose_password(password, password_file, generate_password)
    user = await context.services.users.create(
        context.actor, email=email, name=name, role=role, password=clear, timezone=timezone
    )
    shown = {"password": clear} if generate_password and clear else {}
    context.print_object({**to_json(UserAnswer.from_model(user)), **shown})


_MAIL_OPTION = click.option(
    "--mail/--no-mail", default=True, help="Whether to mail the link to the user if there is a smarthost."
)


@group.command("invite", examples=["user invite eve@example.com --role agent"])
@click.argument("email")
@click.option("--name", default="", help="Display name.")
@click.option("--role", type=_ROLE, default="agent", show_default=True, help="Role of the user.")
@click.option(
    "--timezone", metavar="ZONE", help="IANA time zone, such as Europe/Berlin.  [default: that of the workspace]"
)
@_MAIL_OPTION
@with_context(secrets=True)
async def invite(
    context: CommandContext, *, email: str, name: str, role: str, timezone: str | None, mail: bool
) -> None:
    """Add a user, who sets the password with a link.

    The link is mailed to the user if there is a smarthost, and printed otherwise. It works once and expires after 7
    days.
    """
    invitation = await context.services.users.invite(
        context.actor, email=email, name=name, role=role, timezone=timezone, mail=mail
    )
    _print_link(context, UserCreated.from_invitation(invitation))


@group.command("reset", examples=["user reset eve@example.com"])
@click.argument("user", metavar="EMAIL|ID")
@_MAIL_OPTION
@with_context(secrets=True)
async def reset(context: CommandContext, user: str, mail: bool) -> None:
    """Create a link with which a user sets a new password.

    The link is mailed to the user if there is a smarthost, and printed otherwise. It works once and expires after 24
    hours. An earlier link no longer works. The current password works until the link is used.
    """
    user_id = await context.lookup.find_user_id(context.actor, user)
    link = await context.services.users.password_link(context.actor, user_id, mail=mail)
    _print_link(context, PasswordLinkAnswer.from_model(link))


def _print_link(context: CommandContext, answer: UserCreated | PasswordLinkAnswer) -> None:
    context.print_object(to_json(answer))
    if answer.mailed_to is not None:
        click.echo(f"The link was sent to {answer.mailed_to}", err=True)
    elif assembly.link_base(context.core.config) is None:
        click.echo("The link opens only on this host: set server.public_url to the URL of the dashboard", err=True)
    elif answer.mail_error is not None:
        click.echo(f"The link was not sent by mail: {answer.mail_error}", err=True)


@group.command("change", examples=["user change eve@example.com --role admin"])
@click.argument("user", metavar="EMAIL|ID")
@click.option("--name", help="New display name.")
@click.option("--role", type=_ROLE, help="New role.")
@click.option("--timezone", metavar="ZONE", help="IANA time zone, such as Europe/Berlin.")
@click.option("--no-timezone", is_flag=True, help="Use the time zone of the workspace.")
@with_context()
async def change(
    context: CommandContext, *, user: str, name: str | None, role: str | None, timezone: str | None, no_timezone: bool
) -> None:
    """Change the name, role or time zone of a user."""
    if timezone is not None and no_timezone:
        raise click.UsageError("--timezone and --no-timezone cannot be used together")
    if name is None and role is None and timezone is None and not no_timezone:
        raise click.UsageError("nothing to change: use --name, --role, --timezone or --no-timezone")
    user_id = await context.lookup.find_user_id(context.actor, user)
    changed = await context.services.users.change(
        context.actor, user_id, name=name, role=role, timezone=timezone, clear_timezone=no_timezone
    )
    context.print_object(to_json(UserAnswer.from_model(changed)))


@group.command("set-password", examples=["user set-password eve@example.com --generate-password"])
@click.argument("user", metavar="EMAIL|ID")
@click.option("--password", metavar="-", help="Use `-` to read the password from standard input.")
@click.option("--password-file", type=click.Path(path_type=Path), metavar="PATH", help="Read the password from a file.")
@click.option("--generate-password", is_flag=True, help="Generate a password and print it once.")
@with_context()
async def set_password(
    context: CommandContext, user: str, password: str | None, password_file: Path | None, generate_password: bool
) -> None:
    """Set a new password for a user and end their sessions. Without an option, prompts for the password."""
    user_id = await context.lookup.find_user_id(context.actor, user)
    clear = _choose_password(password, password_file, generate_password)
    if clear is None:
        clear = read_secret(None, None, prompt="New password", option="--password")
    changed = await context.services.users.change(context.actor, user_id, password=clear)
    data: Json = {
        **to_json(UserAnswer.from_model(changed)),
        **({"password": clear} if generate_password else {}),
    }
    context.print_result(data, f"{changed.email} has a new password{f': {clear}' if generate_password else '.'}")


def _add_status_command(name: str, about: str, *, disabled: bool) -> None:
    @group.command(name, help=about, examples=[f"user {name} eve@example.com"])
    @click.argument("user", metavar="EMAIL|ID")
    @with_context()
    async def switch(context: CommandContext, user: str) -> None:
        user_id = await context.lookup.find_user_id(context.actor, user)
        changed = await context.services.users.change(context.actor, user_id, disabled=disabled)
        context.print_result(to_json(UserAnswer.from_model(changed)), f"{changed.email} is {name}d.")


_add_status_command("disable", "Disable a user. Their sessions end and their API keys are revoked.", disabled=True)
_add_status_command("enable", "Enable a user again. Revoked API keys stay revoked.", disabled=False)


@group.command("remove", examples=["user remove eve@example.com"])
@click.argument("user", metavar="EMAIL|ID")
@confirmation_option
@with_context()
async def remove(context: CommandContext, user: str, yes: bool) -> None:
    """Remove a user and their API keys. Their unresolved tickets become unassigned."""
    found = await context.services.users.get(context.actor, await context.lookup.find_user_id(context.actor, user))
    confirm(f"Remove {found.email} and all of their API keys?", yes=yes)
    await context.services.users.delete(context.actor, found.id)
    context.print_result({"id": found.id, "removed": True}, f"{found.email} was removed.")


def _choose_password(value: str | None, file: Path | None, generate: bool) -> str | None:
    if generate:
        if value is not None or file is not None:
            raise click.UsageError("--generate-password cannot be combined with another password option")
        return secrets.new_password()
    if value is None and file is None:
        return None
    return read_secret(value, file, prompt="Password", option="--password")


COMMANDS = (group,)
