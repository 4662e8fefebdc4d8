"""`migrate`: migrates the database to the schema of this version."""

from __future__ import annotations

import click

from emailrouter import assembly
from emailrouter.cli import console
from router.store import catalog, migrate


@click.command(cls=console.Command, name="migrate", examples=["migrate"])
@click.pass_context
def migrate_command(ctx: click.Context) -> None:
    """Migrate the database to the schema of this version.

    Safe to run repeatedly and on several hosts at once. A schema newer than this version is refused.
    """
    invocation = console.get_invocation(ctx)
    config = invocation.load_config()

    async def work() -> tuple[list[str], int]:
        database = assembly.build_database(config, catalog.load_catalog())
        try:
            await database.open()
            return await migrate.migrate(database), await migrate.read_schema_version(database)
        finally:
            await database.close()

    applied, version = console.run(work())
    if invocation.as_json:
        console.print_json({"applied": applied, "schema": version})
    else:
        for name in applied:
            click.echo(f"applied {name}")
        click.echo(f"{config.database.url} has schema version {version}" + ("" if applied else ", nothing to migrate"))


COMMANDS = (migrate_command,)
