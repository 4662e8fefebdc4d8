"""The command line: one file for each group of commands, listed here in the order that `--help` shows."""

from __future__ import annotations

from importlib import import_module
from typing import NoReturn

import click

from emailrouter.cli import frame

# Command -> the module that has it, in the order one needs them in. A module is loaded for its own commands alone, or
# each of them would wait for what all the others need.
MODULES = {
    "serve": "run",
    "smtp": "run",
    "api": "run",
    "deliver": "run",
    "migrate": "database",
    "init": "init",
    "demo": "demo",
    "workspace": "workspaces",
    "user": "users",
    "key": "keys",
    "domain": "domains",
    "integration": "integrations",
    "alias": "aliases",
    "blocked-sender": "blocked_senders",
    "ticket": "tickets",
    "delivery": "deliveries",
    "check": "check",
    "explain": "explain",
    "trace": "trace",
    "audit": "audit",
    "export": "configuration",
    "apply": "configuration",
    "reparse": "reparse",
    "move": "move",
    "rotate-key": "rotate_key",
    "completion": "completion",
}


class _Commands(frame.Group):
    """The commands of `MODULES`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        if cmd_name not in MODULES:
            return None
        commands: tuple[click.Command, ...] = import_module(f"{__name__}.{MODULES[cmd_name]}").COMMANDS
        return next(command for command in commands if command.name == cmd_name)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="emailrouter")
def cli() -> None:
    """Email Router: mail for your domains becomes tickets in Slack."""


def main() -> NoReturn:
    """The entry point of `emailrouter` and `python -m emailrouter`."""
    frame.guarded(cli)
