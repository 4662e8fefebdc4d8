"""The command line: one module for each group of commands."""

from __future__ import annotations

from typing import NoReturn

from emailrouter import process_start

# Maps each command to its module, in the sections and the order of `--help`. A command imports only its own module,
# because importing all of them would take longer.
SECTIONS = {
    "Run": {
        "demo": "demo",
        "serve": "run",
        "smtp": "run",
        "api": "run",
        "deliver": "run",
    },
    "Set up": {
        "config": "config_file",
        "init": "init",
        "domain": "domains",
        "integration": "integrations",
        "alias": "aliases",
        "user": "users",
        "key": "keys",
        "workspace": "workspaces",
        "completion": "completion",
    },
    "Daily work": {
        "ticket": "tickets",
        "reply": "replies",
        "tag": "tags",
        "template": "templates",
        "canned-response": "canned_responses",
        "allowed-sender": "sender_lists",
        "blocked-sender": "sender_lists",
    },
    "Find problems": {
        "status": "status",
        "check": "check",
        "explain": "explain",
        "trace": "trace",
        "delivery": "deliveries",
        "audit": "audit",
    },
    "Operate": {
        "migrate": "database",
        "export": "configuration",
        "apply": "configuration",
        "reparse": "reparse",
        "move": "move",
        "rotate-key": "rotate_key",
    },
}
MODULES = {name: module for commands in SECTIONS.values() for name, module in commands.items()}


def main() -> NoReturn:
    process_start.prepare()
    # These imports are slow. Without `prepare` before them, PID 1 would ignore SIGTERM meanwhile.
    from emailrouter.cli import console  # noqa: PLC0415 - see above
    from emailrouter.cli.commands import cli  # noqa: PLC0415 - see above

    console.run_command_line(cli)
