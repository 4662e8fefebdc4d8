"""The command line: one file for each group of commands, listed here in the order that `--help` shows."""

from __future__ import annotations

from typing import NoReturn

from emailrouter import process_start

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


def main() -> NoReturn:
    """The entry point of `emailrouter` and `python -m emailrouter`."""
    process_start.prepare()
    # Loaded only now: the imports take half a second, in which PID 1 would ignore SIGTERM.
    from emailrouter.cli import console  # noqa: PLC0415 - see above
    from emailrouter.cli.commands import cli  # noqa: PLC0415 - see above

    console.run_command_line(cli)
