"""Sections of help pages, and suggestions for mistyped commands."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import click

PROGRAM = "emailrouter"
_MAX_SUGGESTIONS = 3
# Names that other programs give to the same thing.
# Names that are not similar, or for which the most similar command would do harm: `remove` for `ticket resolve`.
_OTHER_NAMES = {
    "run": "serve",
    "start": "serve",
    "setup": "init",
    "doctor": "check",
    "ticket resolve": "status",
    "ticket reopen": "status",
    "ticket close": "status",
}


def write_examples(formatter: click.HelpFormatter, examples: Sequence[str]) -> None:
    """Writes the examples of a command. They are not wrapped, so that they can be copied."""
    if not examples:
        return
    with formatter.section("Example" if len(examples) == 1 else "Examples"):
        for example in examples:
            formatter.write(f"{'':>{formatter.current_indent}}{PROGRAM} {example}\n")


def write_commands(
    formatter: click.HelpFormatter, ctx: click.Context, group: click.Group, sections: Mapping[str, Iterable[str]]
) -> None:
    """Writes each section of commands. The descriptions of all sections are aligned."""
    column = max((len(name) for names in sections.values() for name in names), default=0)
    for title, names in sections.items():
        rows = [(name.ljust(column), _first_sentence(command)) for name, command in _visible(ctx, group, names)]
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)


def _visible(ctx: click.Context, group: click.Group, names: Iterable[str]) -> Iterator[tuple[str, click.Command]]:
    for name in names:
        command = group.get_command(ctx, name)
        if command is not None and not command.hidden:
            yield name, command


def _first_sentence(command: click.Command) -> str:
    """Returns the summary in full; click would cut it at the width of the page."""
    return command.get_short_help_str(limit=1000)


def unknown_command(ctx: click.Context, group: click.Group, name: str) -> click.UsageError:
    """Returns the error for an unknown command, with the similar ones.

    If none is similar, suggests the commands with this name in the groups below: `ticket claim` for `claim`.
    """
    names = group.list_commands(ctx)
    other_name = _OTHER_NAMES.get(f"{group.name} {name}", _OTHER_NAMES.get(name))
    similar = [other_name] if other_name in names else difflib.get_close_matches(name, names, _MAX_SUGGESTIONS)
    if not similar:
        nested = (
            f"{outer} {name}"
            for outer in names
            if isinstance(inner := group.get_command(ctx, outer), click.Group) and name in inner.commands
        )
        similar = [path for path, _ in zip(nested, range(_MAX_SUGGESTIONS), strict=False)]
    suggestion = f" Did you mean {_join_alternatives(similar)}?" if similar else ""
    return click.UsageError(f"No such command {name!r}.{suggestion}", ctx)


def _join_alternatives(texts: Sequence[str]) -> str:
    quoted = [f"`{text}`" for text in texts]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]] if quoted[1:] else quoted)
