"""`template` commands. A template is identified by its name or its ID."""

from __future__ import annotations

from functools import partial

import click

from api.schema.templates import TemplateAnswer
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
from emailrouter.cli.tables import Column
from router.admin.templates.templates import TemplateChange
from router.enumerations import TEMPLATE_MODE
from router.filters import TextFilter

_SUBJECT_HELP = 'Subject with placeholders; "" for that of the ticket.'
_BODY_HELP = "Text or HTML with placeholders such as {name}; `-` reads it from standard input."


@click.group(cls=WorkspaceGroup, name="template")
def group() -> None:
    """Manage templates of replies and acknowledgements.

    Placeholders are {name}, {email}, {subject}, {date}, {agent}, {ticket}, {alias} and {link}.
    {name|there} has a fallback, and {{ is a literal brace.
    """


@group.command("list", examples=["template list"])
@filter_options(TextFilter)
@paging_options
@with_context()
async def list_command(context: CommandContext, *, filters: FilterOptions[TextFilter], paging: Paging) -> None:
    """List the templates, newest first."""
    page = await paging.collect(partial(context.services.templates.list, context.actor, await filters.read(context)))
    columns = (
        Column("Name", "name"),
        Column("Mode", "mode"),
        Column("Subject", "subject", shorten=True),
        Column("ID", "id", optional=True),
    )
    context.print_list("templates", to_rows(page, TemplateAnswer.from_model), columns)


@group.command("show", examples=["template show Received"])
@click.argument("template", metavar="NAME|ID")
@with_context()
async def show(context: CommandContext, template: str) -> None:
    """Show one template."""
    found = await context.services.templates.find(context.actor, template)
    context.print_object(to_json(TemplateAnswer.from_model(found)))


@group.command("add", examples=["template add Received --body 'Hello {name|there}, thank you.'"])
@click.argument("name")
@click.option("--body", metavar="TEXT", required=True, help=_BODY_HELP)
@click.option("--subject", metavar="TEXT", default="", help=_SUBJECT_HELP)
@click.option("--mode", type=ChoiceType(TEMPLATE_MODE), default=TEMPLATE_MODE.default, help="What the body is.")
@with_context()
async def add(context: CommandContext, name: str, *, body: str, subject: str, mode: str) -> None:
    """Add a template."""
    created = await context.services.templates.create(
        context.actor, name=name, subject=subject, body=read_text(body), mode=mode
    )
    context.print_object(to_json(TemplateAnswer.from_model(created)))


@group.command("change", examples=["template change Received --subject 'Your message [#{ticket}]'"])
@click.argument("template", metavar="NAME|ID")
@click.option("--name", metavar="NAME", help="New name.")
@click.option("--body", metavar="TEXT", help=_BODY_HELP)
@click.option("--subject", metavar="TEXT", help=_SUBJECT_HELP)
@click.option("--mode", type=ChoiceType(TEMPLATE_MODE), help="What the body is.")
@with_context()
async def change(
    context: CommandContext, template: str, *, name: str | None, body: str | None, subject: str | None, mode: str | None
) -> None:
    """Change a template. Sent mail keeps its text."""
    if name is None and body is None and subject is None and mode is None:
        raise click.UsageError("give --name, --body, --subject or --mode")
    wanted = TemplateChange(name, subject, None if body is None else read_text(body), mode)
    found = await context.services.templates.find(context.actor, template)
    changed = await context.services.templates.change(context.actor, found.id, wanted)
    context.print_object(to_json(TemplateAnswer.from_model(changed)))


@group.command("remove", examples=["template remove Received"])
@click.argument("template", metavar="NAME|ID")
@confirmation_option
@with_context()
async def remove(context: CommandContext, template: str, yes: bool) -> None:
    """Remove a template that acknowledges no mail."""
    found = await context.services.templates.find(context.actor, template)
    confirm(f"Remove the template {found.name}?", yes=yes)
    await context.services.templates.delete(context.actor, found.id)
    context.print_result({"id": found.id, "removed": True}, f"{found.name} was removed.")


COMMANDS = (group,)
