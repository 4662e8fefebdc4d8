"""`key`: the API keys of a workspace."""

from __future__ import annotations

import click

from api.schema.accounts import KeyAnswer, KeyCreated
from emailrouter.cli import desk, moments
from emailrouter.cli.desk import Desk
from router.admin.access.users import ROLES


@click.group(cls=desk.Group, name="key")
def group() -> None:
    """Manage API keys: each belongs to a user and has at most the permissions of that user."""


@group.command("list")
@desk.paged
@desk.at_desk()
async def list_command(at: Desk, limit: int | None, cursor: str | None) -> None:
    """List the keys, newest first, including revoked and expired ones."""
    page = await desk.collect(
        lambda n, c: at.services.keys.list(at.actor, limit=n, cursor=c), limit=limit, cursor=cursor
    )
    columns = {
        "name": "name",
        "hint": "hint",
        "user": "userId",
        "role": "role",
        "last used": "lastUsedAt",
        "expires": "expiresAt",
        "revoked": "revokedAt",
        "id": "id",
    }
    emails = await at.display_names(key.user_id for key in page.items)
    at.listed("keys", desk.as_rows(page, KeyAnswer.from_model), columns, userId=emails)


@group.command("show")
@click.argument("key", metavar="ID")
@desk.at_desk()
async def show(at: Desk, key: str) -> None:
    """Show one key, without its secret."""
    found = await at.services.keys.get(at.actor, key)
    at.one(desk.as_json(KeyAnswer.from_model(found)), userId=await at.display_names([found.user_id]))


@group.command("create")
@click.argument("name")
@click.option("--user", metavar="EMAIL|ID", required=True, help="Owner of the key.")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    help="Role of the key, at most that of its owner.",
)
@click.option("--expires", metavar="T", callback=moments.future, help='Expiry: "90d", or a date like 2030-01-31.')
@desk.at_desk()
async def create(at: Desk, name: str, user: str, role: str | None, expires: int | None) -> None:
    """Create a key and print it once."""
    owner = await at.names.find_user_id(at.actor, user)
    new = await at.services.keys.create(at.actor, name=name, role=role, user_id=owner, expires_at=expires)
    at.one(desk.as_json(KeyCreated.from_model(new)), userId=await at.display_names([owner]))


@group.command("revoke")
@click.argument("key", metavar="ID")
@desk.confirmed
@desk.at_desk()
async def revoke(at: Desk, key: str, yes: bool) -> None:
    """Revoke a key. Requests with it are rejected immediately; it stays in the list."""
    found = await at.services.keys.get(at.actor, key)
    desk.confirm(f"Revoke the key {found.name!r} ({found.hint})?", yes=yes)
    await at.services.keys.revoke(at.actor, found.id)
    at.said({"id": found.id, "revoked": True}, f"{found.hint} was revoked.")


COMMANDS = (group,)
