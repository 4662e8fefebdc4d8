"""`key` commands."""

from __future__ import annotations

from functools import partial

import click

from api.schema.accounts import KeyAnswer, KeyCreated
from emailrouter.cli import time_options
from emailrouter.cli.context import CommandContext, WorkspaceGroup, confirm, confirmation_option, to_json, with_context
from emailrouter.cli.paging import Paging, paging_options, to_rows
from emailrouter.cli.parameters import ChoiceType, FilterOptions, filter_options
from emailrouter.cli.tables import Column
from router.enumerations import ROLE
from router.filters import KeyFilter


@click.group(cls=WorkspaceGroup, name="key")
def group() -> None:
    """Manage API keys.

    Each key belongs to a user and has at most the permissions of that user.
    """


@group.command("list", examples=["key list", "key list --status active"])
@filter_options(KeyFilter)
@paging_options
@with_context()
async def list_command(context: CommandContext, *, filters: FilterOptions[KeyFilter], paging: Paging) -> None:
    """List the keys, newest first, also revoked and expired ones."""
    page = await paging.collect(partial(context.services.keys.list, context.actor, await filters.read(context)))
    columns = (
        Column("ID", "id"),
        Column("Name", "name", shorten=True),
        Column("User", "userId", shorten=True),
        Column("Revoked", "revokedAt", is_time=True),
        Column("Role", "role", optional=True),
        Column("Key", "hint", optional=True),
        Column("Last used", "lastUsedAt", optional=True, is_time=True),
        Column("Expires", "expiresAt", optional=True, is_time=True),
    )
    emails = await context.display_names(key.user_id for key in page.items)
    context.print_list("keys", to_rows(page, KeyAnswer.from_model), columns, userId=emails)


@group.command("show", examples=["key show key_01m8nxbr92c8jsj0cqmn7cgeeb"])
@click.argument("key", metavar="ID")
@with_context()
async def show(context: CommandContext, key: str) -> None:
    """Show one key, without its secret."""
    found = await context.services.keys.get(context.actor, key)
    context.print_object(to_json(KeyAnswer.from_model(found)), userId=await context.display_names([found.user_id]))


@group.command("create", examples=["key create backup --user eve@example.com --expires 90d"])
@click.argument("name")
@click.option("--user", metavar="EMAIL|ID", required=True, help="Owner of the key.")
@click.option(
    "--role",
    type=ChoiceType(ROLE),
    help="Role of the key, at most that of its owner.  [default: that of its owner]",
)
@click.option(
    "--expires",
    metavar="T",
    callback=time_options.parse_future_time,
    help='Expiry: "90d" from now, or a date like 2030-01-31.',
)
@with_context()
async def create(context: CommandContext, name: str, user: str, role: str | None, expires: int | None) -> None:
    """Create a key and print it once."""
    owner = await context.lookup.find_user_id(context.actor, user)
    new = await context.services.keys.create(context.actor, name=name, role=role, user_id=owner, expires_at=expires)
    context.print_object(to_json(KeyCreated.from_new_key(new)), userId=await context.display_names([owner]))


@group.command("revoke", examples=["key revoke key_01m8nxbr92c8jsj0cqmn7cgeeb"])
@click.argument("key", metavar="ID")
@confirmation_option
@with_context()
async def revoke(context: CommandContext, key: str, yes: bool) -> None:
    """Revoke a key. Requests with it are rejected immediately; it stays in the list."""
    found = await context.services.keys.get(context.actor, key)
    confirm(f"Revoke the key {found.name!r} ({found.hint})?", yes=yes)
    await context.services.keys.revoke(context.actor, found.id)
    context.print_result({"id": found.id, "revoked": True}, f"{found.hint} was revoked.")


COMMANDS = (group,)
