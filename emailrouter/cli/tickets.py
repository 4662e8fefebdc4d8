"""`ticket`: the conversations of a workspace. A ticket is named by its number (`42`, `#42`) or its id."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from api.schema.tickets import NoteAnswer, TicketAnswer, TicketClaimed, TicketDetail, TicketResolved
from emailrouter import assembly
from emailrouter.cli import desk, frame
from emailrouter.cli.desk import Desk
from router.admin.tickets.tickets import TicketFilter
from router.channels import CHANNELS
from router.dispatch.ticket_notification import NotificationPreview
from router.errors import Refused
from router.model import TICKET_STATUSES

F = TypeVar("F", bound=Callable[..., Any])
_STATUS = click.Choice(TICKET_STATUSES)
_COLUMNS = {
    "number": "number",
    "status": "status",
    "from": "from",
    "subject": "subject",
    "alias": "alias",
    "assigned to": "assignedTo",
    "received": "receivedAt",
}


@click.group(cls=desk.Group, name="ticket")
def group() -> None:
    """Manage tickets. `42`, `'#42'` and the ID all identify the same ticket."""


def _acting(*, required: bool) -> Callable[[F], F]:
    return click.option("--as", "acting", metavar="EMAIL|ID", required=required, help="User on whose behalf to act.")


async def _as_user(at: Desk, acting: str | None) -> Desk:
    """The desk in a user's name; the operator may do everything, but only who works on tickets can have one."""
    if acting is None:
        return at
    user = await at.services.users.get(at.actor, await at.names.find_user_id(at.actor, acting))
    if user.disabled_at is not None:
        raise Refused("invalid_request", f"{user.email} is disabled")
    if user.role == "viewer":
        raise Refused("invalid_request", f"{user.email} is a viewer and cannot work on tickets")
    return at.acting_as(user.id)


@group.command("list")
@click.option("--status", type=_STATUS)
@click.option("--assigned-to", metavar="EMAIL|ID", help="Only tickets assigned to this user.")
@click.option("--alias", metavar="ADDRESS|ID", help="Only tickets of this alias.")
@click.option("--search", "-q", metavar="TEXT", help="Search sender, subject and text, or give a ticket number.")
@click.option("--unassigned", is_flag=True, help="Only unassigned tickets that are not resolved.")
@desk.paged
@desk.at_desk()
async def list_command(
    at: Desk,
    *,
    status: str | None,
    assigned_to: str | None,
    alias: str | None,
    search: str | None,
    unassigned: bool,
    limit: int | None,
    cursor: str | None,
) -> None:
    """List the tickets, newest first."""
    if unassigned and (status or assigned_to or alias or search):
        raise click.UsageError("--unassigned cannot be combined with other filters")
    wanted = TicketFilter(
        status=status,
        assigned_to=None if assigned_to is None else await at.names.find_user_id(at.actor, assigned_to),
        alias_id=None if alias is None else await at.names.find_alias_id(at.actor, alias),
        q=search,
    )
    tickets = at.services.tickets
    page = await desk.collect(
        lambda n, c: (
            tickets.list_unassigned(at.actor, limit=n, cursor=c)
            if unassigned
            else tickets.list(at.actor, wanted, limit=n, cursor=c)
        ),
        limit=limit,
        cursor=cursor,
    )
    emails = await at.display_names(ticket.assigned_to for ticket in page.items)
    at.listed("tickets", desk.as_rows(page, TicketAnswer.from_model), _COLUMNS, assignedTo=emails)


@group.command("show")
@click.argument("ticket")
@click.option("--slack", is_flag=True, help="Print the Slack payload of each message as JSON.")
@desk.at_desk()
async def show(at: Desk, ticket: str, slack: bool) -> None:
    """Show a ticket with its messages, deliveries and events."""
    ticket_id = await at.names.find_ticket_id(at.actor, ticket)
    if slack:
        core = at.core
        link_base = assembly.link_base(core.config)
        preview = NotificationPreview(core.database, core.contents, CHANNELS, link_base=link_base)
        frame.print_json(await preview.render_payloads(at.actor, ticket_id, "slack"))
        return
    view = await at.services.tickets.get(at.actor, ticket_id)
    data = desk.as_json(TicketDetail.from_view(view))
    if at.as_json:
        frame.print_json(data)
        return
    messages = data.pop("messages")
    at.one(data, assignedTo=await at.display_names([view.ticket.assigned_to]))
    for message in messages:
        click.echo(f"\n{frame.cell(message['from'])}, {message['receivedAt']}, {message['id']}")
        for line in message["text"].splitlines():
            click.echo(f"  {frame.printable(line)}")
        for attachment in message["attachments"]:
            click.echo(f"  [{frame.printable(attachment['filename'])}, {attachment['size']} bytes]")


@group.command("claim")
@click.argument("ticket")
@_acting(required=True)
@desk.at_desk()
async def claim(at: Desk, ticket: str, acting: str) -> None:
    """Claim a ticket for the user given by --as. Exit code 1 if it is assigned to another user."""
    at = await _as_user(at, acting)
    claimed = await at.services.tickets.claim(at.actor, await at.names.find_ticket_id(at.actor, ticket))
    at.said(desk.as_json(TicketClaimed.from_model(claimed)), f"#{claimed.number} is claimed.")


@group.command("unclaim")
@click.argument("ticket")
@_acting(required=False)
@desk.at_desk()
async def unclaim(at: Desk, ticket: str, acting: str | None) -> None:
    """Unassign a ticket."""
    at = await _as_user(at, acting)
    given = await at.services.tickets.unclaim(at.actor, await at.names.find_ticket_id(at.actor, ticket))
    at.said(desk.as_json(TicketClaimed.from_model(given)), f"#{given.number} is unassigned.")


@group.command("assign")
@click.argument("ticket")
@click.argument("user", metavar="EMAIL|ID")
@_acting(required=False)
@desk.at_desk()
async def assign(at: Desk, ticket: str, user: str, acting: str | None) -> None:
    """Assign a ticket to a user."""
    at = await _as_user(at, acting)
    user_id = await at.names.find_user_id(at.actor, user)
    given = await at.services.tickets.assign(at.actor, await at.names.find_ticket_id(at.actor, ticket), user_id)
    at.said(desk.as_json(TicketClaimed.from_model(given)), f"#{given.number} is assigned to {user}.")


@group.command("status")
@click.argument("ticket")
@click.argument("status", type=_STATUS)
@_acting(required=False)
@desk.at_desk()
async def set_status(at: Desk, ticket: str, status: str, acting: str | None) -> None:
    """Set the status of a ticket: open, in_progress, waiting or resolved."""
    at = await _as_user(at, acting)
    changed = await at.services.tickets.set_status(at.actor, await at.names.find_ticket_id(at.actor, ticket), status)
    at.said(desk.as_json(TicketResolved.from_model(changed)), f"#{changed.number} is {changed.status}.")


@group.command("note")
@click.argument("ticket")
@click.argument("text")
@_acting(required=False)
@desk.at_desk()
async def note(at: Desk, ticket: str, text: str, acting: str | None) -> None:
    """Add an internal note to a ticket; `-` reads the text from standard input."""
    at = await _as_user(at, acting)
    written = sys.stdin.read() if text == "-" else text
    event = await at.services.tickets.add_note(at.actor, await at.names.find_ticket_id(at.actor, ticket), written)
    at.said(desk.as_json(NoteAnswer.from_model(event)), "Note added.")


@group.command("remove")
@click.argument("ticket")
@desk.confirmed
@desk.at_desk()
async def remove(at: Desk, ticket: str, yes: bool) -> None:
    """Delete a ticket with its messages and their raw content."""
    ticket_id = await at.names.find_ticket_id(at.actor, ticket)
    found = (await at.services.tickets.get(at.actor, ticket_id)).ticket
    desk.confirm(f"Delete ticket #{found.number} ({found.subject}) with its messages?", yes=yes)
    await at.services.tickets.delete(at.actor, ticket_id)
    at.said({"id": ticket_id, "removed": True}, f"#{found.number} was deleted.")


COMMANDS = (group,)
