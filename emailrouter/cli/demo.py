"""`demo`: demonstrates the program on this machine."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

import click

from emailrouter import log
from emailrouter.cli import console
from emailrouter.demo import installation, mail_client, proof, smarthost, story


@click.command(cls=console.Command, name="demo", examples=["demo"])
@click.option("--once", is_flag=True, help="Exit after the demonstration; exit code 0 only if every step succeeded.")
@click.option("--verbose", is_flag=True, help="Also print each step, the Slack message and the ticket as JSON.")
def demo_command(once: bool, verbose: bool) -> None:
    """Demonstrate the program on this machine, without any setup.

    A real message becomes a ticket and a Slack message, with a temporary database and local stand-ins for Slack
    and DNS. The demo then receives the mails of a small company and keeps running until it is stopped. It prints a
    link that signs you in, as long as it runs. With --once, it prints each step and exits after the first message.
    """
    log.configure_logging("auto", "warning" if once or verbose else "error")  # one delivery of the demo fails
    try:
        console.run(_demonstrate(once=once, echo=click.echo if once or verbose else _discard))
    except mail_client.DemoFailed as error:
        console.fail(f"the demo failed: {error}")


async def _demonstrate(*, once: bool, echo: installation.Print) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if not once:
        click.echo("Starting Email Router with a temporary database ...")
    behind = 0 if once else story.age()
    async with installation.run_demo(echo, keeps_running=not once, behind=behind) as running:
        if not await _run_until(stop, _prepare(running, echo, with_story=not once)):
            raise click.Abort
        if once:
            click.echo("\nIt works: a mail became a ticket and a Slack message.")
            return
        click.echo(_describe(running))
        await _run_until(stop, _print_slack_messages(running))


async def _prepare(running: installation.Demo, echo: installation.Print, *, with_story: bool) -> None:
    ticket = await proof.run_steps(running, echo)
    if with_story:
        await story.Storyteller(running, ticket["id"]).fill()
        while not running.slack.messages.empty():
            running.slack.messages.get_nowait()


def _describe(running: installation.Demo) -> str:
    host, port = running.smtp
    return f"""
It works. The {story.count_tickets()} tickets of {story.company()} are in the dashboard and in a stand-in for Slack. The
team's replies go to a stand-in for a smarthost:

  Dashboard  {running.link}
  Slack      {running.slack.base}/
  Sent mail  {running.slack.base}{smarthost.PATH}
  Send mail  printf 'Subject: Hello\\n\\nHi!\\n' | curl -sS smtp://{host}:{port} --crlf \\
               --mail-from you@customer.example --mail-rcpt support@{installation.DOMAIN} -T -
  REST API   curl -H 'Authorization: Bearer {running.login.key}' {running.api}/emails/tickets

The first link signs you in, on this machine and as long as the demo runs. Ctrl-C stops the demo and deletes its data.
New Slack messages:"""


def _discard(_: str) -> None:
    pass


async def _run_until(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Runs `work`, and cancels it when `stop` is set. Returns whether `work` completed."""
    working, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    await asyncio.wait([working, stopped], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not working.done():
        working.cancel()
        await asyncio.wait([working])
    if working.cancelled():
        return False
    await working
    return True


async def _print_slack_messages(running: installation.Demo) -> None:
    while True:
        message = await running.slack.messages.get()
        click.echo(f"  #{message.channel}: {message.text}")


COMMANDS = (demo_command,)
