"""`status`: prints what needs attention."""

from __future__ import annotations

import shutil
import textwrap
from dataclasses import asdict

import click

from emailrouter import log
from emailrouter.cli import console
from emailrouter.status import LINES, read_status
from emailrouter.time_limited_loop import TimeLimitedLoop
from router.check_result import CheckResult

_SIGNS = {"ok": ("ok", "green"), "warn": ("!", "yellow"), "fail": ("!!", "red")}


@click.command(cls=console.Command, name="status", examples=["status"])
@click.pass_context
def status(ctx: click.Context) -> int:
    """Show in ten lines what needs attention.

    Shows whether the program runs, the database, mail of the last 24 hours, deliveries, integrations, domains, tickets,
    the certificate, the disk, and whether other mail servers can reach this host. Takes at most about two seconds. Exit
    code 1 when a line needs attention; unassigned tickets and those held as spam do not count.
    """
    invocation = console.get_invocation(ctx)
    config = invocation.load_config()
    log.configure_logging(config.server.log_format, "error")
    found = console.run(read_status(config), new_loop=TimeLimitedLoop)
    if invocation.as_json:
        console.print_json({"ok": found.is_ok, **found.numbers, "lines": [asdict(line) for line in found.lines]})
    else:
        for line in found.lines:
            _print_line(line)
    return 0 if found.is_ok else 1


def _print_line(line: CheckResult) -> None:
    sign, colour = _SIGNS[line.status]
    name = line.check.ljust(max(map(len, LINES)))
    indent = " " * (len(name) + 6)
    first, *others = _wrap(line.text, indent)
    click.echo(f"{click.style(sign.ljust(2), fg=colour)}  {name}  {first.strip()}")
    for text in others:
        click.echo(text)
    if line.status != "ok":
        for text in _wrap(line.fix, f"{indent}  "):
            click.echo(text)


def _wrap(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        console.printable_text(text),
        width=max(len(indent) + 40, shutil.get_terminal_size((console.DEFAULT_WIDTH, 24)).columns),
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


COMMANDS = (status,)
