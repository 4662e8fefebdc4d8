"""`explain`: what would happen to a mail, and why; nothing is sent or stored."""

from __future__ import annotations

import json

import click

from api.schema.operations import ExplainAnswer
from emailrouter.cli import desk, frame
from emailrouter.cli.desk import Desk


@click.command(cls=desk.Command, name="explain")
@click.argument("address")
@click.option("--from", "sender", metavar="A", help="Sender address of the message.")
@click.option("--subject", metavar="S", help="Subject of the message.")
@desk.at_desk()
async def explain(at: Desk, address: str, sender: str | None, subject: str | None) -> None:
    """Explain step by step how a message to ADDRESS would be handled. Nothing is sent or stored."""
    found = await at.services.explanations.explain(at.actor, address, sender=sender, subject=subject)
    if at.as_json:
        frame.print_json(desk.as_json(ExplainAnswer.from_model(found)))
        return
    for step in found.steps:
        click.echo(f"{'yes' if step.ok else 'no ':3}  {frame.printable(step.step)}: {frame.printable(step.detail)}")
    click.echo(f"\nReply to the sender: {found.reply}")
    if found.tag:
        click.echo(f"Ticket tag: {frame.printable(found.tag)}")
    if found.preview is not None:
        click.echo("Payload for the integration:")
        click.echo("\n".join(f"  {line}" for line in json.dumps(found.preview, indent=2).splitlines()))


COMMANDS = (explain,)
