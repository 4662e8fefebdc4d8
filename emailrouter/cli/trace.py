"""`trace`: the history of one message."""

from __future__ import annotations

import click

from api.schema.tickets import TraceAnswer
from emailrouter.cli import console
from emailrouter.cli.context import CommandContext, WorkspaceCommand, to_json, with_context


@click.command(cls=WorkspaceCommand, name="trace")
@click.argument("message", metavar="ID")
@with_context()
async def trace(context: CommandContext, message: str) -> None:
    """Show the history of one message: connection, tickets, deliveries and delivery attempts.

    ID is the message ID in the reply to the sender: `250 2.0.0 Ok: queued as ID`.
    """
    data = to_json(TraceAnswer.from_model(await context.services.messages.get_trace(context.actor, message)))
    if context.as_json:
        console.print_json(data)
        return
    for event in data["events"]:
        detail = "  ".join(f"{key}={value}" for key, value in event["detail"].items() if value not in (None, ""))
        click.echo(f"{event['at']}  {event['event'].ljust(9)}  {console.printable_text(detail)}")


COMMANDS = (trace,)
