"""`serve`, `smtp`, `api`, `deliver`: the roles of the program, in one process or one each."""

from __future__ import annotations

import click

from emailrouter.assembly import ROLES, Role
from emailrouter.cli import frame
from emailrouter.lifecycle import run_until_stopped


def _command(name: str, roles: tuple[Role, ...], about: str) -> click.Command:
    @click.pass_context
    def start(context: click.Context) -> None:
        invocation = frame.invocation(context)
        config = invocation.config()
        frame.run(run_until_stopped(config, frozenset(roles), invocation.config), config)

    return frame.Command(name, callback=start, help=about, short_help=about.splitlines()[0])


COMMANDS = (
    _command(
        "serve",
        ROLES,
        "SMTP, API and delivery in one process.\n\nAn embedded database is made and migrated by itself; where it is "
        "empty, a first user and key are made and shown, or written to data_dir/first-login when this is no terminal.",
    ),
    _command("smtp", ("smtp",), "Receive mail: one role in one process, for several hosts over one database."),
    _command("api", ("api",), "Serve the REST API: one role in one process."),
    _command("deliver", ("deliver",), "Post tickets to their integrations: one role in one process."),
)
