"""`tag` commands. A tag is identified by its name or its ID."""

from __future__ import annotations

from functools import partial

import click

from api.schema.tags import TagAnswer
from emailrouter.cli.context import CommandContext, WorkspaceGroup, confirm, confirmation_option, to_json, with_context
from emailrouter.cli.paging import Paging, paging_options, to_rows
from emailrouter.cli.parameters import FilterOptions, filter_options
from emailrouter.cli.tables import Column
from router.filters import TextFilter


@click.group(cls=WorkspaceGroup, name="tag")
def group() -> None:
    """Manage the tags of tickets. `ticket tag` adds tags to a ticket and creates them."""


@group.command("list", examples=["tag list", "tag list --search bill"])
@filter_options(TextFilter)
@paging_options
@with_context()
async def list_command(context: CommandContext, *, filters: FilterOptions[TextFilter], paging: Paging) -> None:
    """List the tags in alphabetical order."""
    page = await paging.collect(partial(context.services.tickets.tags.list, context.actor, await filters.read(context)))
    columns = (
        Column("Name", "name"),
        Column("Color", "color"),
        Column("Tickets", "ticketCount"),
        Column("ID", "id", optional=True),
    )
    context.print_list("tags", to_rows(page, TagAnswer.from_counted), columns)


@group.command("change", examples=["tag change bill --name Billing --color '#1d76db'"])
@click.argument("tag", metavar="NAME|ID")
@click.option("--name", metavar="NAME", help="New name. The name of another tag merges the two.")
@click.option("--color", metavar="COLOR", help="Colour as #rrggbb; '' removes the colour.")
@with_context()
async def change(context: CommandContext, tag: str, name: str | None, color: str | None) -> None:
    """Rename or colour a tag."""
    if name is None and color is None:
        raise click.UsageError("give --name or --color")
    tags = context.services.tickets.tags
    found = await tags.find(context.actor, tag)
    changed = await tags.change(context.actor, found.tag.id, name=name, color=color)
    is_merged = changed.tag.id != found.tag.id
    sentence = (
        f"{found.tag.name} was merged into {changed.tag.name}." if is_merged else f"{changed.tag.name} was changed."
    )
    context.print_result(to_json(TagAnswer.from_counted(changed)), sentence)


@group.command("remove", examples=["tag remove Billing"])
@click.argument("tag", metavar="NAME|ID")
@confirmation_option
@with_context()
async def remove(context: CommandContext, tag: str, yes: bool) -> None:
    """Delete a tag and remove it from its tickets."""
    tags = context.services.tickets.tags
    found = (await tags.find(context.actor, tag)).tag
    confirm(f"Delete the tag {found.name} and remove it from its tickets?", yes=yes)
    await tags.delete(context.actor, found.id)
    context.print_result({"id": found.id, "removed": True}, f"{found.name} was deleted.")


COMMANDS = (group,)
