"""`audit list`: who changed what."""

from __future__ import annotations

import click

from api.schema.operations import AuditAnswer
from emailrouter.cli import desk
from emailrouter.cli.desk import Desk

OPERATOR = "(operator)"
UNKNOWN = "(unknown)"  # a sign-in that failed


@click.group(cls=desk.Group, name="audit")
def group() -> None:
    """Show the audit log: who changed what, when, and from which address."""


@group.command("list")
@desk.paged
@desk.at_desk()
async def list_command(at: Desk, limit: int | None, cursor: str | None) -> None:
    """List sign-ins and changes, newest first. `(operator)` means the command line, `(unknown)` a failed sign-in."""
    found = await desk.collect(
        lambda n, c: at.services.audit.list(at.actor, limit=n, cursor=c), limit=limit, cursor=cursor
    )
    emails = await at.display_names(entry.user_id for entry in found.items)
    page = desk.as_rows(found, AuditAnswer.from_model)
    if not at.as_json:
        for row in page.items:
            row["userId"] = row["userId"] or (UNKNOWN if row["address"] else OPERATOR)
    columns = {
        "at": "at",
        "by": "userId",
        "from": "address",
        "action": "action",
        "target": "target",
        "detail": "detail",
    }
    at.listed("audit", page, columns, userId=emails)


COMMANDS = (group,)
