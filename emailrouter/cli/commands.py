"""The root command. It imports the module of a subcommand only when click asks for the subcommand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module

import click

from emailrouter.cli import MODULES, SECTIONS, console


class _Commands(console.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's API
        return list(MODULES)

    def list_sections(self, ctx: click.Context) -> Mapping[str, Iterable[str]]:  # noqa: ARG002 - click's API
        return SECTIONS

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's API
        if cmd_name not in MODULES:
            return None
        module = import_module(f"emailrouter.cli.{MODULES[cmd_name]}")
        commands: tuple[click.Command, ...] = module.COMMANDS
        return next(command for command in commands if command.name == cmd_name)


_EPILOG = """
\b
First steps:
  emailrouter demo           try it on this machine, without any setup
  emailrouter config init    write emailrouter.toml
  emailrouter serve          run it; prints a link to set your password

`emailrouter COMMAND --help` describes the options of a command, with an example.
"""


@click.group(
    cls=_Commands, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="emailrouter")
def cli() -> None:
    """Email Router: mail for your domains becomes tickets in the chat of your team."""
