"""`check`: prints the results of the checks."""

from __future__ import annotations

from dataclasses import asdict

import click

from config.errors import ConfigError
from emailrouter.check.run import run
from emailrouter.cli import console
from router.check_result import CheckResult, fail

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command(cls=console.Command, name="check", examples=["check"])
@click.pass_context
def check(ctx: click.Context) -> int:
    """Check the whole installation, and how to fix it.

    Checks configuration, database, disk, certificate, DNS, ports, integrations and the loss audit. Changes no data and
    posts nothing. Exit code 1 when a check fails, 2 when the configuration is invalid.
    """
    invocation = console.get_invocation(ctx)
    try:
        config = invocation.load_config()
    except ConfigError as error:
        _print_lines(
            [fail("configuration", str(error), "Correct the setting named above")],
            as_json=invocation.as_json,
        )
        return 2
    lines = console.run(run(config))
    _print_lines(lines, as_json=invocation.as_json)
    return 1 if any(line.status == "fail" for line in lines) else 0


def _print_lines(lines: list[CheckResult], *, as_json: bool) -> None:
    if as_json:
        ok = all(line.status != "fail" for line in lines)
        console.print_json({"ok": ok, "checks": [asdict(line) for line in lines]})
        return
    for line in lines:
        word = click.style(line.status.ljust(4), fg=_COLOURS[line.status])
        click.echo(f"{word}  {console.printable_text(line.check)}: {console.printable_text(line.text)}")
        if line.fix:
            click.echo(f"      {'' if line.status == 'ok' else 'fix: '}{console.printable_text(line.fix)}")
    counts = {status: sum(line.status == status for line in lines) for status in _COLOURS}
    click.echo(f"\n{counts['ok']} ok, {counts['warn']} warnings, {counts['fail']} failed")


COMMANDS = (check,)
