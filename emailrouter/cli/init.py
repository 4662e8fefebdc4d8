"""`init`: creates the first workspace, user and API key."""

from __future__ import annotations

import click

from emailrouter import lifecycle
from emailrouter.cli import console
from emailrouter.first_login import default_email, first_address, format_login
from router.admin.installation.first_workspace import FirstLogin, SetupService
from router.clock import SystemClock


@click.command(cls=console.Command, name="init", examples=["init --email you@example.com"])
@click.option("--email", metavar="E", help="Sign-in address of the first admin.  [default: admin@<hostname>]")
@click.pass_context
def init_command(ctx: click.Context, email: str | None) -> None:
    """Create the first workspace, admin and API key.

    The password and the key are printed once. `serve` does this by itself with an empty embedded database. A PostgreSQL
    database must have the schema of this version (`emailrouter migrate`). Exit code 1 if a workspace exists.
    """
    invocation = console.get_invocation(ctx)
    config = invocation.load_config()

    async def work() -> FirstLogin:
        embedded = config.database.url.path is not None
        database = await lifecycle.open_database(config, apply_migrations=embedded)
        try:
            return await SetupService(database, SystemClock()).create_first_workspace(email or default_email(config))
        finally:
            await database.close()

    login = console.run(work(), config)
    if invocation.as_json:
        console.print_json(
            {"workspaceId": login.workspace_id, "email": login.email, "password": login.password, "key": login.key}
        )
    else:
        click.echo(format_login(login, first_address(config)))


COMMANDS = (init_command,)
