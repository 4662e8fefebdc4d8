"""`migrate`: brings the database to this version's schema."""

from __future__ import annotations

import click

from emailrouter import assembly
from emailrouter.cli import frame
from router.store import catalog, migrate


@click.command(cls=frame.Command, name="migrate")
@click.pass_context
def migrate_command(context: click.Context) -> None:
    """Bring the database to this version's schema.

    Safe to run twice, and from two hosts at once; a schema newer than this program is refused.
    """
    invocation = frame.invocation(context)
    config = invocation.config()

    async def work() -> tuple[list[str], int]:
        opened = assembly.database(config, catalog.load())
        try:
            await opened.open()
            return await migrate.migrate(opened), await migrate.version(opened)
        finally:
            await opened.close()

    applied, version = frame.run(work())
    if invocation.as_json:
        frame.print_json({"applied": applied, "schema": version})
    else:
        for name in applied:
            click.echo(f"applied {name}")
        click.echo(f"{config.database.url} has schema {version}" + ("" if applied else ", nothing to do"))


COMMANDS = (migrate_command,)
