"""The command line: one module for each group of commands."""

from __future__ import annotations

from typing import NoReturn

from emailrouter import process_start

# Maps each command to its module, in the order of `--help`. A command imports only its own module, because
# importing all of them would take longer.
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
    "tag": "tags",
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


def main() -> NoReturn:
    process_start.prepare()
    # These imports are slow. Without `prepare` before them, PID 1 would ignore SIGTERM meanwhile.
    from emailrouter.cli import console  # noqa: PLC0415 - see above
    from emailrouter.cli.commands import cli  # noqa: PLC0415 - see above

    console.run_command_line(cli)
