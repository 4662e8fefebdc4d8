"""`reparse`: parses stored messages again."""

from __future__ import annotations

import click

from emailrouter.assembly.core import Core
from emailrouter.cli import console, time_options
from emailrouter.cli.context import run_with_core
from router.admin.lookup import LookupService
from router.admin.tickets.reparse import ReparseProgress, ReparseService


@click.command(cls=console.Command, name="reparse", examples=["reparse --since 30d"])
@click.option(
    "--since",
    callback=time_options.parse_past_time,
    metavar="T",
    help='Only messages received since this time: "30d" (ago), or a date like 2030-01-31.',
)
@click.option("--workspace", metavar="ID|NAME", help="Only messages of this workspace.  [default: all]")
@click.pass_context
def reparse(ctx: click.Context, since: int | None, workspace: str | None) -> None:
    """Parse the stored messages again.

    Needed after some upgrades. Tickets keep their status, and nothing is sent.
    """

    def print_progress(progress: ReparseProgress) -> None:
        click.echo(f"{progress.message_count} messages, up to {progress.last_message_id}", err=True)

    async def work(core: Core) -> int:
        workspace_id = None if workspace is None else (await LookupService(core.database).find_workspace(workspace)).id
        return await ReparseService(core.database, core.contents).run(
            since or 0, workspace_id=workspace_id, on_progress=print_progress
        )

    done = run_with_core(ctx, work)
    if console.get_invocation(ctx).as_json:
        console.print_json({"messages": done})
    else:
        click.echo(f"{done} messages were parsed again.")


COMMANDS = (reparse,)
