"""`user`: the people of a workspace."""

from __future__ import annotations

from pathlib import Path

import click

from api.schema.accounts import UserAnswer
from emailrouter.cli import desk
from emailrouter.cli.desk import Desk
from router import secrets
from router.admin.access.users import ROLES

_ROLE = click.Choice(ROLES)


@click.group(cls=desk.Group, name="user")
def group() -> None:
    """Manage users and their roles."""


@group.command("list")
@desk.paged
@desk.at_desk()
async def list_command(at: Desk, limit: int | None, cursor: str | None) -> None:
    """List the users, newest first."""
    page = await desk.collect(
        lambda n, c: at.services.users.list(at.actor, limit=n, cursor=c), limit=limit, cursor=cursor
    )
    columns = {
        "email": "email",
        "name": "name",
        "role": "role",
        "signs in": "canSignIn",
        "disabled": "disabledAt",
        "id": "id",
    }
    at.listed("users", desk.as_rows(page, UserAnswer.from_model), columns)


@group.command("show")
@click.argument("user", metavar="EMAIL|ID")
@desk.at_desk()
async def show(at: Desk, user: str) -> None:
    """Show one user."""
    at.one(
        desk.as_json(
            UserAnswer.from_model(await at.services.users.get(at.actor, await at.names.find_user_id(at.actor, user)))
        )
    )


@group.command("add")
@click.argument("email")
@click.option("--name", default="", help="Display name.")
@click.option("--role", type=_ROLE, default="agent", show_default=True)
@click.option("--password", metavar="-", help="Use `-` to read the password from standard input.")
@click.option("--password-file", type=click.Path(path_type=Path), metavar="PATH", help="Read the password from a file.")
@click.option("--generate-password", is_flag=True, help="Generate a password and print it once.")
@click.option(
    "--timezone", metavar="ZONE", help="IANA time zone, such as Europe/Berlin.  [default: that of the workspace]"
)
@desk.at_desk()
async def add(
    at: Desk,
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
    clear = _password(password, password_file, generate_password)
    user = await at.services.users.create(
        at.actor, email=email, name=name, role=role, password=clear, timezone=timezone
    )
    shown = {"password": clear} if generate_password and clear else {}
    at.one({**desk.as_json(UserAnswer.from_model(user)), **shown})


@group.command("change")
@click.argument("user", metavar="EMAIL|ID")
@click.option("--name", help="New display name.")
@click.option("--role", type=_ROLE, help="New role.")
@click.option("--timezone", metavar="ZONE", help="IANA time zone, such as Europe/Berlin.")
@click.option("--no-timezone", is_flag=True, help="Use the time zone of the workspace.")
@desk.at_desk()
async def change(
    at: Desk, *, user: str, name: str | None, role: str | None, timezone: str | None, no_timezone: bool
) -> None:
    """Change the name, role or time zone of a user."""
    if timezone is not None and no_timezone:
        raise click.UsageError("--timezone and --no-timezone cannot be used together")
    if name is None and role is None and timezone is None and not no_timezone:
        raise click.UsageError("nothing to change: use --name, --role, --timezone or --no-timezone")
    user_id = await at.names.find_user_id(at.actor, user)
    changed = await at.services.users.change(
        at.actor, user_id, name=name, role=role, timezone=timezone, clear_timezone=no_timezone
    )
    at.one(desk.as_json(UserAnswer.from_model(changed)))


@group.command("set-password")
@click.argument("user", metavar="EMAIL|ID")
@click.option("--password", metavar="-", help="Use `-` to read the password from standard input.")
@click.option("--password-file", type=click.Path(path_type=Path), metavar="PATH", help="Read the password from a file.")
@click.option("--generate-password", is_flag=True, help="Generate a password and print it once.")
@desk.at_desk()
async def set_password(
    at: Desk, user: str, password: str | None, password_file: Path | None, generate_password: bool
) -> None:
    """Set a new password for a user and end their sessions. Without an option, prompts for the password."""
    user_id = await at.names.find_user_id(at.actor, user)
    clear = _password(password, password_file, generate_password)
    if clear is None:
        clear = desk.secret_text(None, None, prompt="New password", option="--password")
    changed = await at.services.users.change(at.actor, user_id, password=clear)
    data: desk.Json = {
        **desk.as_json(UserAnswer.from_model(changed)),
        **({"password": clear} if generate_password else {}),
    }
    at.said(data, f"{changed.email} has a new password{f': {clear}' if generate_password else '.'}")


def _switch(name: str, about: str, *, disabled: bool) -> None:
    @group.command(name, help=about)
    @click.argument("user", metavar="EMAIL|ID")
    @desk.at_desk()
    async def switch(at: Desk, user: str) -> None:
        user_id = await at.names.find_user_id(at.actor, user)
        changed = await at.services.users.change(at.actor, user_id, disabled=disabled)
        at.said(desk.as_json(UserAnswer.from_model(changed)), f"{changed.email} is {name}d.")


_switch("disable", "Disable a user. Their sessions end and their API keys are revoked.", disabled=True)
_switch("enable", "Enable a user again. Revoked API keys stay revoked.", disabled=False)


@group.command("remove")
@click.argument("user", metavar="EMAIL|ID")
@desk.confirmed
@desk.at_desk()
async def remove(at: Desk, user: str, yes: bool) -> None:
    """Remove a user and their API keys. Their unresolved tickets become unassigned."""
    found = await at.services.users.get(at.actor, await at.names.find_user_id(at.actor, user))
    desk.confirm(f"Remove {found.email} and all of their API keys?", yes=yes)
    await at.services.users.delete(at.actor, found.id)
    at.said({"id": found.id, "removed": True}, f"{found.email} was removed.")


def _password(value: str | None, file: Path | None, generate: bool) -> str | None:
    if generate:
        if value is not None or file is not None:
            raise click.UsageError("--generate-password cannot be combined with another password option")
        return secrets.new_password()
    if value is None and file is None:
        return None
    return desk.secret_text(value, file, prompt="Password", option="--password")


COMMANDS = (group,)
