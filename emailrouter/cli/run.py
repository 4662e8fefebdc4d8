"""`serve` runs all roles in one process; `smtp`, `api` and `deliver` run one role each."""

from __future__ import annotations

import click

from emailrouter.assembly import ROLES, Role
from emailrouter.cli import console
from emailrouter.lifecycle import run_until_stopped


def _command(name: str, roles: tuple[Role, ...], about: str) -> click.Command:
    @click.pass_context
    def start(ctx: click.Context) -> None:
        invocation = console.get_invocation(ctx)
        config = invocation.load_config()
        console.run(run_until_stopped(config, frozenset(roles), invocation.load_config), config)

    return console.Command(name, callback=start, help=about, examples=[name])


COMMANDS = (
    _command(
        "serve",
        ROLES,
        "Run SMTP, API and delivery in one process.\n\nAn embedded database is created and migrated automatically. "
        "If it is empty, the first user and API key are created and shown on the terminal, or written to "
        "data_dir/first-login if there is no terminal.",
    ),
    _command("smtp", ("smtp",), "Run only the SMTP server.\n\nFor installations with several processes or hosts."),
    _command(
        "api",
        ("api",),
        "Run only the REST API and the dashboard.\n\nFor installations with several processes or hosts.",
    ),
    _command(
        "deliver",
        ("deliver",),
        "Run only the delivery of tickets and the maintenance.\n\n"
        "The maintenance deletes old messages, checks domains and sends alerts.",
    ),
)
