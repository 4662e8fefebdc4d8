"""`explain`: shows how a message would be handled. Sends and stores nothing."""

from __future__ import annotations

import json

import click

from api.schema.operations import ExplainAnswer
from emailrouter.cli import console
from emailrouter.cli.context import CommandContext, WorkspaceCommand, to_json, with_context


@click.command(cls=WorkspaceCommand, name="explain", examples=["explain support@example.com --from jane@example.net"])
@click.argument("address")
@click.option("--from", "sender", metavar="A", help="Sender address of the message.")
@click.option("--subject", metavar="S", help="Subject of the message.")
@with_context()
async def explain(context: CommandContext, address: str, sender: str | None, subject: str | None) -> None:
    """Explain how a message to ADDRESS would be handled.

    Prints each step, and the message for the integration. Nothing is sent or stored.
    """
    found = await context.services.explanations.explain(context.actor, address, sender=sender, subject=subject)
    if context.as_json:
        console.print_json(to_json(ExplainAnswer.from_model(found)))
        return
    for step in found.steps:
        outcome = "yes" if step.ok else "no"
        click.echo(f"{outcome:3}  {console.printable_text(step.step)}: {console.printable_text(step.detail)}")
    click.echo(f"\nReply to the sender: {found.reply}")
    if found.tag:
        click.echo(f"Ticket tag: {console.printable_text(found.tag)}")
    if found.preview is not None:
        click.echo("Payload for the integration:")
        click.echo("\n".join(f"  {line}" for line in json.dumps(found.preview, indent=2).splitlines()))


COMMANDS = (explain,)
