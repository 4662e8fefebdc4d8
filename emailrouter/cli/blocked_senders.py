"""`blocked-sender`: the senders that a workspace takes no mail from."""

from __future__ import annotations

import click

from api.schema.operations import BlockedSenderAnswer
from emailrouter.cli import desk
from emailrouter.cli.desk import Desk


@click.group(cls=desk.Group, name="blocked-sender")
def group() -> None:
    """Manage blocked senders: addresses, domains (`@spam.example`) and networks (`192.0.2.0/24`)."""


@group.command("list")
@desk.paged
@desk.at_desk()
async def list_command(at: Desk, limit: int | None, cursor: str | None) -> None:
    """List the blocked senders, sorted by name."""
    page = await desk.collect(
        lambda n, c: at.services.blocked_senders.list(at.actor, limit=n, cursor=c), limit=limit, cursor=cursor
    )
    columns = {"sender": "sender", "since": "createdAt"}
    at.listed("blockedSenders", desk.as_rows(page, BlockedSenderAnswer.from_model), columns)


@group.command("add")
@click.argument("sender")
@desk.at_desk()
async def add(at: Desk, sender: str) -> None:
    """Reject mail from a sender with 550 5.7.1."""
    blocked = await at.services.blocked_senders.create(at.actor, sender)
    at.said(desk.as_json(BlockedSenderAnswer.from_model(blocked)), f"{blocked.sender} is blocked.")


@group.command("remove")
@click.argument("sender")
@desk.confirmed
@desk.at_desk()
async def remove(at: Desk, sender: str, yes: bool) -> None:
    """Unblock a sender."""
    desk.confirm(f"Unblock {sender}?", yes=yes)
    await at.services.blocked_senders.delete(at.actor, sender)
    at.said({"sender": sender, "removed": True}, f"{sender} is unblocked.")


COMMANDS = (group,)
