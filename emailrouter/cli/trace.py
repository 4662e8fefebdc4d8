"""`trace`: all that happened to one mail."""

from __future__ import annotations

import click

from api.schema.tickets import TraceAnswer
from emailrouter.cli import desk, frame
from emailrouter.cli.desk import Desk


@click.command(cls=desk.Command, name="trace")
@click.argument("message", metavar="ID")
@desk.at_desk()
async def trace(at: Desk, message: str) -> None:
    """Show the history of one message: connection, checks, route, ticket and delivery attempts.

    ID is the message ID in the reply to the sender: `250 2.0.0 Ok: queued as ID`.
    """
    data = desk.as_json(TraceAnswer.from_model(await at.services.messages.get_trace(at.actor, message)))
    if at.as_json:
        frame.print_json(data)
        return
    for event in data["events"]:
        detail = "  ".join(f"{key}={value}" for key, value in event["detail"].items() if value not in (None, ""))
        click.echo(f"{event['at']}  {event['event'].ljust(9)}  {frame.printable(detail)}")


COMMANDS = (trace,)
