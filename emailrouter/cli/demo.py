"""`demo`: the main job on this machine, no set-up."""

from __future__ import annotations

import asyncio
import signal

import click

from emailrouter import demo, log
from emailrouter.cli import frame


@click.command(cls=frame.Command, name="demo")
@click.option("--once", is_flag=True, help="End after the proof; exit 0 only if all of it happened.")
def demo_command(once: bool) -> None:
    """Show the main job on this machine, no set-up.

    A real mail becomes a ticket and a Slack message, over a temporary database and stand-ins for Slack and DNS.
    Then it keeps serving, for you to try, until it is stopped.
    """
    log.set_up("auto", "warning")

    async def work() -> None:
        async with demo.running(click.echo) as running:
            await demo.show(running, click.echo)
            click.echo("\nIt works: a mail became a ticket and a Slack message.")
            if once:
                return
            host, port = running.smtp
            click.echo(
                f"""
It goes on serving until you stop it with Ctrl-C. Try:

  curl -H 'Authorization: Bearer {running.login.key}' {running.api}/emails/tickets
  swaks --server {host}:{port} --to support@{demo.DOMAIN} --header 'Subject: Hello'

Whatever comes to the stand-in for Slack is shown here.
"""
            )
            await _show_slack_until_stopped(running)

    try:
        frame.run(work())
    except demo.DemoFailed as error:
        frame.fail(f"the demo failed: {error}")


async def _show_slack_until_stopped(running: demo.Demo) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    running.slack.posts.clear()
    stopped = asyncio.create_task(stop.wait())
    while not stopped.done():
        while running.slack.posts:
            post = running.slack.posts.popleft()
            click.echo(f"Slack {post.path}: {post.text}")
        await asyncio.wait([stopped], timeout=0.5)


COMMANDS = (demo_command,)
