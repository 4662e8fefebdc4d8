"""`audit` commands."""

from __future__ import annotations

from functools import partial

import click

from api.schema.operations import AuditAnswer
from emailrouter.cli.context import CommandContext, Json, WorkspaceGroup, with_context
from emailrouter.cli.paging import Paging, paging_options, to_rows
from emailrouter.cli.parameters import FilterOptions, filter_options
from emailrouter.cli.tables import Column
from router.admin.audit import is_automatic
from router.filters import AuditFilter

OPERATOR = "(operator)"
SYSTEM = "(system)"
UNKNOWN = "(unknown)"  # actor of a failed sign-in


@click.group(cls=WorkspaceGroup, name="audit")
def group() -> None:
    """Show who changed what, when, and from which address."""


@group.command("list", examples=["audit list --limit 10", "audit list --kind user --since 2030-01-31"])
@filter_options(AuditFilter)
@paging_options
@with_context()
async def list_command(context: CommandContext, *, filters: FilterOptions[AuditFilter], paging: Paging) -> None:
    """List sign-ins and changes, newest first.

    `(operator)` means the command line, `(system)` an automatic change of a domain, `(unknown)` a failed sign-in.
    """
    found = await paging.collect(partial(context.services.audit.list, context.actor, await filters.read(context)))
    emails = await context.display_names(entry.user_id for entry in found.items)
    page = to_rows(found, AuditAnswer.from_model)
    if not context.as_json:
        for row in page.items:
            row["userId"] = row["userId"] or _actor_without_user(row)
    columns = (
        Column("Time", "at", is_time=True),
        Column("By", "userId", shorten=True),
        Column("Action", "action"),
        Column("Detail", "detail", shorten=True),
        Column("Target", "target", optional=True),
        Column("From", "address", optional=True),
    )
    context.print_list("audit", page, columns, userId=emails)


def _actor_without_user(row: Json) -> str:
    if is_automatic(row["action"], row["detail"]):
        return SYSTEM
    return UNKNOWN if row["address"] else OPERATOR


COMMANDS = (group,)
