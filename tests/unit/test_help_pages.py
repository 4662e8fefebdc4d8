"""Help pages fit 80 columns and have examples that the commands accept. Mistyped commands get suggestions."""

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from emailrouter.cli.commands import cli
from emailrouter.cli.console import Command
from tests.support.documents import DOCS, read_blocks

WIDTH = 80


def all_commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, group
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from all_commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(all_commands(cli))


def parse(line: str) -> click.Command:
    """Parses a command line as the program does, without running it. Returns the command."""
    context = cli.make_context("emailrouter", shlex.split(line, comments=True)[1:])
    while isinstance(context.command, click.Group):
        name, command, args = context.command.resolve_command(context, context._protected_args + context.args)
        assert command is not None
        context = command.make_context(name, args, parent=context)
    return context.command


def test_every_command_has_examples_that_it_accepts() -> None:
    for path, command in COMMANDS.items():
        if isinstance(command, click.Group):
            continue
        assert isinstance(command, Command)
        assert command.examples, f"{path}: declare examples=[...] next to the name of the command"
        for example in command.examples:
            assert parse(f"emailrouter {example}") is command, example


def test_help_pages_fit() -> None:
    for path, command in COMMANDS.items():
        page = command.get_help(click.Context(command, info_name="emailrouter", terminal_width=WIDTH))
        assert max(map(len, page.splitlines())) <= WIDTH, page
        if isinstance(command, click.Group):
            names = command.list_commands(click.Context(command))
            for name in names:
                summary = COMMANDS[(*path, name)].get_short_help_str(limit=1000)
                row = f"  {name.ljust(max(map(len, names)))}  {summary}\n"
                assert row in f"{page}\n", f"the summary of {path} {name} needs more than one line: {summary}"


def test_documented_command_lines_are_accepted() -> None:
    blocks = [block for page in DOCS.glob("*.md") for block in read_blocks(page.name) if block.language == "sh"]
    lines = [line for block in blocks for line in block.text.splitlines() if line.startswith("emailrouter ")]
    assert len(lines) >= 40
    for line in lines:
        parse(re.split(r" (?:[|<>&#]|2>)", line)[0])


@pytest.mark.parametrize(
    ("line", "suggestion"),
    [
        ("tickt list", "`ticket`"),
        ("ticket clam 1", "`claim` or `unclaim`"),
        ("claim 1", "`ticket claim`"),
        ("verify example.org", "`domain verify`"),
        ("start", "`serve`"),
        ("ticket resolve 1", "`status`"),
        ("frobnicate", ""),
    ],
)
def test_unknown_command(line: str, suggestion: str) -> None:
    with pytest.raises(click.UsageError) as refused:
        parse(f"emailrouter {line}")
    _, _, suggested = refused.value.format_message().partition(" Did you mean ")
    assert suggested == (f"{suggestion}?" if suggestion else "")


def test_similar_option_is_suggested() -> None:
    with pytest.raises(click.UsageError) as refused:
        parse("emailrouter ticket list --statis open")
    assert "--status" in refused.value.format_message()
