"""Generates the man page `docs/emailrouter.1` from the help of the commands: `python -m emailrouter.manual`.

It contains every command and option that `--help` shows, with the same text and in the same order. A test compares
the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from emailrouter.cli.commands import cli
from emailrouter.cli.console import Command

FILE = Path(__file__).resolve().parents[1] / "docs" / "emailrouter.1"

# Options of every command, listed only once.
_SHARED = frozenset(parameter.name for parameter in Command("any").params)

_HEAD = r""".\" Made by: python -m emailrouter.manual
.TH EMAILROUTER 1 "" "Email Router" "Email Router"
.SH NAME
emailrouter \- mail for your domains becomes tickets in Slack
.SH SYNOPSIS
.B emailrouter
.RI [ OPTIONS ]
.I COMMAND
.RI [ ARGUMENTS ]
.SH DESCRIPTION
Email Router receives mail for your domains by SMTP, stores it durably before it replies 250, creates a ticket, and
posts the ticket to the Slack channel of the recipient address. It starts with one command and an embedded SQLite
database; the same program runs on several hosts with one PostgreSQL database.
.SH OPTIONS
All commands accept these options, before or after the command name.
"""

_TAIL = r""".SH EXIT STATUS
.TP
.B 0
Success.
.TP
.B 1
Failure; one line on standard error gives the reason.
.TP
.B 2
Invalid usage or configuration; one line names the setting, its value and what is allowed.
.SH SIGNALS
.TP
.B SIGTERM, SIGINT
Shut down gracefully: accept no new connections, finish the messages being received, record the outcome of deliveries.
.TP
.B SIGHUP
Reload the certificates and the log level.
.SH FILES
.TP
.I ./emailrouter.toml, /etc/emailrouter/emailrouter.toml
The configuration: the first file that exists, unless \-\-config is given. Environment variables can also set every key.
.TP
.I /var/lib/emailrouter
The state directory of the systemd units: the SQLite database, the secret key, the first login.
.SH SEE ALSO
.BR systemctl (1),
.BR journalctl (1)
"""


def render() -> str:
    """Renders the page as roff."""
    shared = "".join(_render_option(parameter) for parameter in Command("any").params)
    commands = "".join(_render_command((), name, command) for name, command in _iterate_commands(cli))
    return f"{_HEAD}{shared}.SH COMMANDS\n{commands}{_TAIL}"


def _iterate_commands(group: click.Group) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None and not command.hidden:
            yield name, command


def _render_command(above: tuple[str, ...], name: str, command: click.Command) -> str:
    path = (*above, name)
    if isinstance(command, click.Group):
        inner = "".join(_render_command(path, own, found) for own, found in _iterate_commands(command))
        return f".SS {' '.join(path)}\n{_render_text(command.help)}{inner}"
    arguments = " ".join(
        p.make_metavar(click.Context(command)) for p in command.params if isinstance(p, click.Argument)
    )
    title = f".SS {' '.join(path)}\n" if not above else f".TP\n.B {' '.join(path)}"
    if above:
        title += f" {_escape(arguments)}\n" if arguments else "\n"
    elif arguments:
        title += f".I {_escape(arguments)}\n.PP\n"
    options = "".join(
        _render_option(p) for p in command.params if isinstance(p, click.Option) and p.name not in _SHARED
    )
    inset = f".RS\n{options}.RE\n" if options and above else options
    return f"{title}{_render_text(command.help, '.IP' if above else '.PP')}{inset}"


def _render_option(parameter: click.Parameter) -> str:
    record = parameter.get_help_record(click.Context(Command("any")))
    if record is None:
        return ""
    words, about = record
    return f".TP\n.B {_escape(words)}\n{_render_text(about)}"


def _render_text(text: str | None, between: str = ".PP") -> str:
    """Renders paragraphs of help, separated by the request `between`."""
    paragraphs = [" ".join(part.split()) for part in (text or "").split("\n\n")]
    return f"\n{between}\n".join(_escape(part) for part in paragraphs if part) + "\n"


def _escape(text: str) -> str:
    """Escapes backslashes and hyphens, and a control character at the start of a line."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    FILE.write_text(render(), encoding="utf-8")
