"""`trace`: the history of a message, or of the messages of a ticket."""

from __future__ import annotations

from collections.abc import Sequence

import click

from api.schema.messages import TraceAnswer
from emailrouter.cli import console
from emailrouter.cli.context import CommandContext, Json, WorkspaceCommand, display_value, to_json, with_context
from router import ids
from router.errors import Refused


@click.command(
    cls=WorkspaceCommand,
    name="trace",
    examples=["trace msg_01m8nxc4x02rr9nyq8x5xwg2dh", "trace 42", "trace --recheck 42"],
)
@click.argument("message", metavar="MESSAGE|TICKET")
@click.option("--recheck", is_flag=True, help="Also check the sender of each message again, with the DNS of today.")
@with_context()
async def trace(context: CommandContext, message: str, *, recheck: bool) -> None:
    """Show everything that happened to a message.

    Prints its connection, tickets, the checks of its sender, deliveries and delivery attempts.

    MESSAGE is the ID in the reply to the sender (`250 2.0.0 Ok: queued as ID`) or a Message-ID. For the number or ID of
    a ticket, shows the history of each of its messages, oldest first, up to the newest 50.

    With --recheck, the server checks the senders in the next seconds, and nothing is posted, held or released.
    """
    messages = context.services.messages
    if ids.is_well_formed(message, "msg"):
        await _recheck(context, [message] * recheck)
        trace = to_json(TraceAnswer.from_model(await messages.get_trace(context.actor, message)))
        if context.as_json:
            console.print_json(trace)
        else:
            _print_events(trace)
        return
    found = (await messages.find(context.actor, message))[::-1]
    if not found:
        raise Refused("not_found", f"Message or ticket {message!r} not found in this workspace")
    await _recheck(context, [each.id for each in found if not each.is_composed] * recheck)
    traces = [to_json(TraceAnswer.from_model(await messages.get_trace(context.actor, each.id))) for each in found]
    if context.as_json:
        console.print_json({"traces": traces})
        return
    for number, trace in enumerate(traces):
        click.echo(("\n" if number else "") + trace["messageId"])
        _print_events(trace)


async def _recheck(context: CommandContext, message_ids: Sequence[str]) -> None:
    for message_id in message_ids:
        await context.services.sender_checks.recheck(context.actor, message_id)
        click.echo(f"{message_id} is queued for another check of its sender.", err=True)


def _print_events(trace: Json) -> None:
    for event in trace["events"]:
        detail = "  ".join(
            f"{key}={display_value(value)}" for key, value in event["detail"].items() if value not in (None, "")
        )
        click.echo(f"{event['at']}  {event['event'].ljust(9)}  {console.printable_text(detail)}")


COMMANDS = (trace,)
