"""`canned-response` commands. A canned response is identified by its title or its ID."""

from __future__ import annotations

from functools import partial

import click

from api.schema.templates import CannedResponseAnswer
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
from emailrouter.cli.parameters import FilterOptions, filter_options
from emailrouter.cli.tables import Column
from router.admin.templates.canned_responses import ALL_ALIASES, CannedResponseChange
from router.filters import CannedResponseFilter

_BODY_HELP = "Text with placeholders such as {name}; `-` reads it from standard input."


@click.group(cls=WorkspaceGroup, name="canned-response")
def group() -> None:
    """Manage canned responses: texts for parts of replies.

    They have the placeholders of templates.
    """


@group.command(
    "list", examples=["canned-response list", "canned-response list --alias support@example.com --search hours"]
)
@filter_options(CannedResponseFilter)
@paging_options
@with_context()
async def list_command(
    context: CommandContext, *, filters: FilterOptions[CannedResponseFilter], paging: Paging
) -> None:
    """List the canned responses, newest first."""
    wanted = await filters.read(context)
    page = await paging.collect(partial(context.services.canned_responses.list, context.actor, wanted))
    columns = (
        Column("Title", "title"),
        Column("Text", "body", shorten=True),
        Column("Alias", "aliasId", optional=True),
        Column("ID", "id", optional=True),
    )
    context.print_list("cannedResponses", to_rows(page, CannedResponseAnswer.from_model), columns)


@group.command("show", examples=["canned-response show 'Opening hours'"])
@click.argument("response", metavar="TITLE|ID")
@with_context()
async def show(context: CommandContext, response: str) -> None:
    """Show one canned response."""
    found = await context.services.canned_responses.find(context.actor, response)
    context.print_object(to_json(CannedResponseAnswer.from_model(found)))


@group.command("add", examples=["canned-response add 'Opening hours' --body 'Open from 9 to 17.'"])
@click.argument("title")
@click.option("--body", metavar="TEXT", required=True, help=_BODY_HELP)
@click.option("--alias", metavar="ADDRESS|ID", help="Alias whose answers can use it; all aliases without it.")
@with_context()
async def add(context: CommandContext, title: str, *, body: str, alias: str | None) -> None:
    """Add a canned response."""
    alias_id = None if alias is None else await context.lookup.find_alias_id(context.actor, alias)
    created = await context.services.canned_responses.create(
        context.actor, title=title, body=read_text(body), alias_id=alias_id
    )
    context.print_object(to_json(CannedResponseAnswer.from_model(created)))


@group.command("change", examples=["canned-response change 'Opening hours' --body 'Open from 9 to 18.'"])
@click.argument("response", metavar="TITLE|ID")
@click.option("--title", metavar="TITLE", help="New title.")
@click.option("--body", metavar="TEXT", help=_BODY_HELP)
@click.option("--alias", metavar="ADDRESS|ID", help='Alias whose answers can use it; "" for all aliases.')
@with_context()
async def change(
    context: CommandContext, response: str, *, title: str | None, body: str | None, alias: str | None
) -> None:
    """Change a canned response."""
    if title is None and body is None and alias is None:
        raise click.UsageError("give --title, --body or --alias")
    alias_id = await context.lookup.find_alias_id(context.actor, alias) if alias else alias
    found = await context.services.canned_responses.find(context.actor, response)
    wanted = CannedResponseChange(
        title, None if body is None else read_text(body), ALL_ALIASES if alias == "" else alias_id
    )
    changed = await context.services.canned_responses.change(context.actor, found.id, wanted)
    context.print_object(to_json(CannedResponseAnswer.from_model(changed)))


@group.command("remove", examples=["canned-response remove 'Opening hours'"])
@click.argument("response", metavar="TITLE|ID")
@confirmation_option
@with_context()
async def remove(context: CommandContext, response: str, yes: bool) -> None:
    """Remove a canned response."""
    found = await context.services.canned_responses.find(context.actor, response)
    confirm(f"Remove the canned response {found.title}?", yes=yes)
    await context.services.canned_responses.delete(context.actor, found.id)
    context.print_result({"id": found.id, "removed": True}, f"{found.title} was removed.")


COMMANDS = (group,)
