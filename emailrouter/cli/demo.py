"""`demo`: demonstrates the program on this machine."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

import click

from emailrouter import log
from emailrouter.cli import console
from emailrouter.demo import installation, proof


@click.command(cls=console.Command, name="demo")
@click.option("--once", is_flag=True, help="Exit after the demonstration; exit code 0 only if every step succeeded.")
def demo_command(once: bool) -> None:
    """Demonstrate the program on this machine, without any setup.

    A real message becomes a ticket and a Slack message, with a temporary database and local stand-ins for Slack
    and DNS. The demo then keeps running until it is stopped, so that you can try it.
    """
    log.configure_logging("auto", "warning")

    async def work() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with installation.run_demo(click.echo) as running:
            if not await _run_until(stop, proof.run_steps(running, click.echo)):
                raise click.Abort
            click.echo("\nIt works: a mail became a ticket and a Slack message.")
            if once:
                return
            host, port = running.smtp
            click.echo(
                f"""
The demo keeps running until you press Ctrl-C. Try:

  curl -H 'Authorization: Bearer {running.login.key}' {running.api}/emails/tickets
  swaks --server {host}:{port} --to support@{installation.DOMAIN} --header 'Subject: Hello'

Messages posted to the stand-in for Slack are shown here.
"""
            )
            await _run_until(stop, _print_slack_messages(running))

    try:
        console.run(work())
    except proof.DemoFailed as error:
        console.fail(f"the demo failed: {error}")


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
        click.echo(f"Slack {message.path}: {message.text}")


COMMANDS = (demo_command,)
