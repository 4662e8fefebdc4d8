"""The command line: one file for each group of commands, listed here in the order that `--help` shows."""

from __future__ import annotations

from typing import NoReturn

import click

from emailrouter.cli import (
    aliases,
    audit,
    blocked_senders,
    check,
    completion,
    configuration,
    database,
    deliveries,
    demo,
    domains,
    explain,
    frame,
    init,
    integrations,
    keys,
    move,
    reparse,
    rotate_key,
    run,
    tickets,
    trace,
    users,
    workspaces,
)


class _InOrder(frame.Group):
    """Commands in the order they are listed, which is the order one needs them in."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.commands)


@click.group(cls=_InOrder, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="emailrouter")
def cli() -> None:
    """Email Router: mail for your domains becomes tickets in Slack."""


MODULES = (
    run,
    database,
    init,
    demo,
    workspaces,
    users,
    keys,
    domains,
    integrations,
    aliases,
    blocked_senders,
    tickets,
    deliveries,
    check,
    explain,
    trace,
    audit,
    configuration,
    reparse,
    move,
    rotate_key,
    completion,
)

for _module in MODULES:
    for _command in _module.COMMANDS:
        cli.add_command(_command)


def main() -> NoReturn:
    """The entry point of `emailrouter` and `python -m emailrouter`."""
    frame.guarded(cli)
