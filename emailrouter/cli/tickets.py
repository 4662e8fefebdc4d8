"""`ticket` commands. A ticket is identified by its number (`42`, `#42`) or its ID."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import click

from api.schema.tags import TicketTags
from api.schema.tickets import NoteAnswer, TicketAnswer, TicketClaimed, TicketDetail, TicketSpam, choice_answer
from emailrouter import assembly
from emailrouter.cli import console
from emailrouter.cli.acting import act_as, acting_option
from emailrouter.cli.context import (
    CommandContext,
    WorkspaceGroup,
    confirm,
    confirmation_option,
    read_text,
    to_json,
    with_context,
)
from emailrouter.cli.paging import Paging, paging_options, to_rows
from emailrouter.cli.parameters import ChoiceType, FilterOptions, filter_options
from emailrouter.cli.replies import reply
from emailrouter.cli.tables import Column, label
from router.channels import CHANNELS
from router.choice import Choice
from router.dispatch.ticket_notification import NotificationPreview
from router.enumerations import SPAM_BLOCK, TICKET_CHOICES, TICKET_SORT
from router.filters import TicketFilter
from router.tag import join_names

F = TypeVar("F", bound=Callable[..., Any])
_COLUMNS = (
    Column("Number", "number"),
    *(Column(label(choice.name), choice.name) for choice in TICKET_CHOICES),
    Column("From", "from", shorten=True),
    Column("Subject", "subject", shorten=True),
    Column("Assigned to", "assignedTo", shorten=True),
    Column("Received", "receivedAt", optional=True, is_time=True),
    Column("Waiting since", "waitingSince", optional=True, is_time=True),
    Column("Alias", "alias", optional=True),
    Column("Tags", "tags", shorten=True, optional=True),
)


@click.group(cls=WorkspaceGroup, name="ticket")
def group() -> None:
    """Manage tickets. `42`, `'#42'` and the ID all identify the same ticket."""


def _payload_options(function: F) -> F:
    """Adds an option for each channel, such as `--slack`. The command receives the type as `payload`."""
    for channel in reversed(CHANNELS.values()):  # the last decorator adds the first option
        option = f"--{channel.kind.replace('_', '-')}"
        text = f"Print the {channel.label} payload of each message as JSON."
        function = click.option(option, "payload", flag_value=channel.kind, help=text)(function)
    return function


@group.command(
    "list", examples=["ticket list --unassigned --sort waiting", "ticket list --search invoice --status open"]
)
@filter_options(TicketFilter)
@click.option("--unassigned", is_flag=True, help="Only unassigned tickets that are not resolved.")
@click.option(
    "--sort",
    type=ChoiceType(TICKET_SORT),
    default=TICKET_SORT.default,
    show_default=True,
    help="Order of the tickets. `waiting` lists open tickets, those that wait longest first.",
)
@paging_options
@with_context()
async def list_command(
    context: CommandContext, *, filters: FilterOptions[TicketFilter], unassigned: bool, sort: str, paging: Paging
) -> None:
    """List the tickets, newest first unless another order is given."""
    ticket_filter = replace(await filters.read(context), unassigned=unassigned)
    if unassigned and ticket_filter.assigned_to is not None:
        raise click.UsageError("--unassigned cannot be combined with --assigned-to")
    page = await paging.collect(partial(context.services.tickets.lists.list, context.actor, ticket_filter, sort=sort))
    emails = await context.display_names(ticket.assigned_to for ticket in page.items)
    context.print_list("tickets", to_rows(page, TicketAnswer.from_model), _COLUMNS, assignedTo=emails)


@group.command("show", examples=["ticket show 42"])
@click.argument("ticket")
@_payload_options
@with_context()
async def show(context: CommandContext, ticket: str, payload: str | None) -> None:
    """Show a ticket with its messages, deliveries and events."""
    ticket_id = await context.lookup.find_ticket_id(context.actor, ticket)
    if payload is not None:
        core = context.core
        link_base = assembly.link_base(core.config)
        preview = NotificationPreview(core.database, core.contents, CHANNELS, link_base=link_base)
        console.print_json(await preview.render_payloads(context.actor, ticket_id, payload))
        return
    view = await context.services.tickets.get(context.actor, ticket_id)
    data = to_json(TicketDetail.from_view(view))
    if context.as_json:
        console.print_json(data)
        return
    messages = data.pop("messages")
    context.print_object(data, assignedTo=await context.display_names([view.ticket.assigned_to]))
    for message in messages:
        click.echo(f"\n{console.format_cell(message['from'])}, {message['receivedAt']}, {message['id']}")
        checks = message["checks"]
        for name, text in (("Warning", checks["warning"]), ("Sender check", checks["summary"])):
            if text:
                click.echo(f"  [{name}: {console.printable_text(text)}]")
        for line in message["text"].splitlines():
            click.echo(f"  {console.printable_text(line)}")
        for attachment in message["attachments"]:
            click.echo(f"  [{console.printable_text(attachment['filename'])}, {attachment['size']} bytes]")


@group.command("claim", examples=["ticket claim 42 --as eve@example.com"])
@click.argument("ticket")
@click.option("--take-over", is_flag=True, help="Also take a ticket that is assigned to another user.")
@acting_option(required=True)
@with_context()
async def claim(context: CommandContext, ticket: str, take_over: bool, acting: str) -> None:
    """Assign a ticket to the user of --as. Exit code 1 if it is assigned to another user."""
    context = await act_as(context, acting)
    ticket_id = await context.lookup.find_ticket_id(context.actor, ticket)
    claimed = await context.services.tickets.claim(context.actor, ticket_id, take_over=take_over)
    context.print_result(to_json(TicketClaimed.from_model(claimed)), f"#{claimed.number} is assigned to {acting}.")


@group.command("unclaim", examples=["ticket unclaim 42"])
@click.argument("ticket")
@acting_option(required=False)
@with_context()
async def unclaim(context: CommandContext, ticket: str, acting: str | None) -> None:
    """Unassign a ticket."""
    context = await act_as(context, acting)
    changed = await context.services.tickets.unclaim(
        context.actor, await context.lookup.find_ticket_id(context.actor, ticket)
    )
    context.print_result(to_json(TicketClaimed.from_model(changed)), f"#{changed.number} is unassigned.")


@group.command("assign", examples=["ticket assign 42 eve@example.com"])
@click.argument("ticket")
@click.argument("user", metavar="EMAIL|ID")
@acting_option(required=False)
@with_context()
async def assign(context: CommandContext, ticket: str, user: str, acting: str | None) -> None:
    """Assign a ticket to a user."""
    context = await act_as(context, acting)
    user_id = await context.lookup.find_user_id(context.actor, user)
    changed = await context.services.tickets.assign(
        context.actor, await context.lookup.find_ticket_id(context.actor, ticket), user_id
    )
    context.print_result(to_json(TicketClaimed.from_model(changed)), f"#{changed.number} is assigned to {user}.")


def _choice_command(choice: Choice[Any]) -> click.Command:
    """Returns the command that sets a field of a ticket."""
    *others, last = choice.values

    @group.command(
        choice.name,
        help=f"Set the {choice.name} of a ticket.\n\nThe values are {', '.join(others)} and {last}.",
        examples=[f"ticket {choice.name} 42 {last}"],
    )
    @click.argument("ticket")
    @click.argument("value", type=ChoiceType(choice))
    @acting_option(required=False)
    @with_context()
    async def set_choice(context: CommandContext, ticket: str, value: str, acting: str | None) -> None:
        context = await act_as(context, acting)
        ticket_id = await context.lookup.find_ticket_id(context.actor, ticket)
        changed = await context.services.tickets.set_choice(context.actor, ticket_id, choice, value)
        answer = to_json(choice_answer(choice).from_model(changed))
        context.print_result(answer, f"The {choice.name} of #{changed.number} is {value}.")

    return set_choice


for _choice in TICKET_CHOICES:
    _choice_command(_choice)


@group.command("spam", examples=["ticket spam 42", "ticket spam 42 --block address --as eve@example.com"])
@click.argument("ticket")
@click.option("--block", type=ChoiceType(SPAM_BLOCK), help="Also block the address of the sender, or their domain.")
@acting_option(required=False)
@with_context()
async def spam(context: CommandContext, ticket: str, block: str | None, acting: str | None) -> None:
    """Hold a ticket as spam.

    Lists leave the ticket out, and its messages are not posted.
    """
    await _set_spam(context, ticket, acting, spam=True, block=block)


@group.command("not-spam", examples=["ticket not-spam 42"])
@click.argument("ticket")
@acting_option(required=False)
@with_context()
async def not_spam(context: CommandContext, ticket: str, acting: str | None) -> None:
    """Release a ticket that is held as spam, and post its messages."""
    await _set_spam(context, ticket, acting, spam=False)


async def _set_spam(
    context: CommandContext, ticket: str, acting: str | None, *, spam: bool, block: str | None = None
) -> None:
    context = await act_as(context, acting)
    ticket_id = await context.lookup.find_ticket_id(context.actor, ticket)
    marked = await context.services.spam.mark(context.actor, ticket_id, spam=spam, block=block)
    text = f"#{marked.number} is held as spam." if spam else f"#{marked.number} is not spam."
    context.print_result(to_json(TicketSpam.from_model(marked)), text)


@group.command("note", examples=['ticket note 42 "Customer called back" --as eve@example.com'])
@click.argument("ticket")
@click.argument("text")
@acting_option(required=False)
@with_context()
async def note(context: CommandContext, ticket: str, text: str, acting: str | None) -> None:
    """Add an internal note to a ticket. The text `-` is read from standard input."""
    context = await act_as(context, acting)
    body = read_text(text)
    event = await context.services.tickets.notes.add(
        context.actor, await context.lookup.find_ticket_id(context.actor, ticket), body
    )
    context.print_result(to_json(NoteAnswer.from_event(event)), "Note added.")


@group.command("edit-note", examples=['ticket edit-note 42 NOTE "Called twice" --as eve@example.com'])
@click.argument("ticket")
@click.argument("note", metavar="NOTE")
@click.argument("text")
@acting_option(required=False)
@with_context()
async def edit_note(context: CommandContext, ticket: str, note: str, text: str, acting: str | None) -> None:
    """Replace the text of a note of the user of --as. The text `-` is read from standard input.

    NOTE is the ID of the note, which `ticket show --json` contains.
    """
    context = await act_as(context, acting)
    body = read_text(text)
    ticket_id = await context.lookup.find_ticket_id(context.actor, ticket)
    event = await context.services.tickets.notes.edit(context.actor, ticket_id, note, body)
    context.print_result(to_json(NoteAnswer.from_event(event)), "Note changed.")


@group.command("remove-note", examples=["ticket remove-note 42 NOTE"])
@click.argument("ticket")
@click.argument("note", metavar="NOTE")
@acting_option(required=False)
@with_context()
async def remove_note(context: CommandContext, ticket: str, note: str, acting: str | None) -> None:
    """Remove a note from a ticket and erase its text. NOTE is the ID of the note."""
    context = await act_as(context, acting)
    ticket_id = await context.lookup.find_ticket_id(context.actor, ticket)
    await context.services.tickets.notes.remove(context.actor, ticket_id, note)
    context.print_result({"id": note, "removed": True}, "Note removed.")


@group.command("tag", examples=["ticket tag 42 --add VIP --remove Billing"])
@click.argument("ticket")
@click.option("--add", metavar="NAME", multiple=True, help="Tag to add; can be repeated.")
@click.option("--remove", metavar="NAME", multiple=True, help="Tag to remove; can be repeated.")
@acting_option(required=False)
@with_context()
async def tag(
    context: CommandContext, ticket: str, add: tuple[str, ...], remove: tuple[str, ...], acting: str | None
) -> None:
    """Add tags to a ticket and remove tags from it. Adding an unknown name creates the tag."""
    context = await act_as(context, acting)
    ticket_id = await context.lookup.find_ticket_id(context.actor, ticket)
    tags = await context.services.tickets.tags.tag_ticket(context.actor, ticket_id, add=add, remove=remove)
    names = join_names(each.name for each in tags) or "none"
    context.print_result(to_json(TicketTags.from_tags(ticket_id, tags)), f"Tags: {names}.")


@group.command("remove", examples=["ticket remove 42"])
@click.argument("ticket")
@confirmation_option
@with_context()
async def remove(context: CommandContext, ticket: str, yes: bool) -> None:
    """Delete a ticket with its messages. Messages that also belong to another ticket are kept."""
    ticket_id = await context.lookup.find_ticket_id(context.actor, ticket)
    found = (await context.services.tickets.get(context.actor, ticket_id)).ticket
    confirm(f"Delete ticket #{found.number} ({found.subject}) with its messages?", yes=yes)
    await context.services.tickets.delete(context.actor, ticket_id)
    context.print_result({"id": ticket_id, "removed": True}, f"#{found.number} was deleted.")


group.add_command(reply)

COMMANDS = (group,)
