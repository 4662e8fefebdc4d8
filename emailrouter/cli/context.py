"""The basis of the commands that act in a workspace: the use cases, the workspace, output and prompts.

The operator acts with the permissions of an admin but is not a user. Commands prompt only on a terminal.
"""

from __future__ import annotations

import contextlib
import functools
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import click

from api.schema.shape import Answer
from emailrouter import log
from emailrouter.assembly.core import Core
from emailrouter.cli import console
from emailrouter.cli.name_completion import WORKSPACE, add_completion
from emailrouter.cli.tables import Column, label
from emailrouter.operator_services import open_core
from router.admin.lookup import LookupService
from router.admin.paging import Page
from router.errors import Refused
from router.model import Actor, Workspace
from router.services import Services
from router.tag import join_names

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
Json = dict[str, Any]

_SYNONYMS = (("add", "create"), ("remove", "revoke", "delete", "rm"), ("list", "ls"), ("show", "get"))


@dataclass(frozen=True, slots=True)
class CommandContext:
    """The services of a command, and the actor on whose behalf it runs in one workspace."""

    core: Core
    actor: Actor
    lookup: LookupService
    as_json: bool
    width: int | None
    """Width of tables in terminal cells; None for tables in full."""

    @property
    def services(self) -> Services:
        return self.core.services

    def acting_as(self, user_id: str) -> CommandContext:
        return replace(self, actor=replace(self.actor, user_id=user_id))

    # --- output

    def print_list(self, name: str, page: Page[Json], columns: Sequence[Column], **more: Mapping[str, str]) -> None:
        """Prints a list. `more` maps a field to the display texts of its values."""
        if self.as_json:
            cursor = {} if page.next_cursor is None else {"nextCursor": page.next_cursor}
            console.print_json({name: list(page.items), **cursor})
            return
        rows = [
            {each.field: display_value(row.get(each.field), more.get(each.field)) for each in columns}
            for row in page.items
        ]
        console.print_table(columns, rows, self.width)
        if not rows:
            click.echo(f"No {label(name).lower()}.", err=True)
        if page.next_cursor is not None:
            click.echo(f"More entries follow: use --all, or --cursor {page.next_cursor}", err=True)

    def print_object(self, data: Json, **more: Mapping[str, str]) -> None:
        if self.as_json:
            console.print_json(data)
            return
        plain = {key: value for key, value in data.items() if not _is_table(value)}
        _print_fields({key: display_value(value, more.get(key)) for key, value in plain.items()})
        for key, value in data.items():
            if _is_table(value):
                click.echo(f"\n{label(key)}")
                self._print_rows([{name: display_value(each) for name, each in row.items()} for row in value])

    def _print_rows(self, rows: Sequence[Json]) -> None:
        """Prints rows as a table, or as blocks without their empty fields if the table would be too wide."""
        columns = [Column(label(name), name) for name in dict.fromkeys(name for row in rows for name in row)]
        if self.width is None or console.measure_table(columns, rows) <= self.width:
            console.print_table(columns, rows, None)
            return
        for number, row in enumerate(rows):
            if number:
                click.echo()
            _print_fields({name: value for name, value in row.items() if value not in (None, "")}, indent="  ")

    def print_result(self, data: Json, sentence: str) -> None:
        """Prints `sentence`, or `data` with `--json`."""
        if self.as_json:
            console.print_json(data)
        else:
            click.echo(console.printable_text(sentence))

    # --- names

    async def display_names(self, ids: Iterable[str | None]) -> dict[str, str]:
        """Returns the email addresses of users and the names of integrations by ID.

        The result is empty with `--json`, which prints IDs.
        """
        if self.as_json:
            return {}
        found = await self.services.display_names.resolve(self.actor, ids)
        return {entity_id: known.email or known.name for entity_id, known in found.items()}


# --- commands and groups


def _set_workspace(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.meta[WORKSPACE] = value


def _workspace_option() -> click.Option:
    return click.Option(
        ["--workspace", "in_workspace"],
        metavar="ID|NAME",
        expose_value=False,
        is_eager=True,
        callback=_set_workspace,
        help="Workspace to use; required if there are several.",
    )


class WorkspaceCommand(console.Command):
    """A command that takes `--workspace`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(_workspace_option())
        add_completion(self)


class WorkspaceGroup(console.Group):
    """The commands of one noun, with synonyms such as `create` for `add`."""

    command_class = WorkspaceCommand

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(_workspace_option())
        add_completion(self)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        same = next((words for words in _SYNONYMS if cmd_name in words), ())
        found = (super(WorkspaceGroup, self).get_command(ctx, word) for word in (cmd_name, *same))
        return next((command for command in found if command is not None), None)


def with_context(
    *, secrets: bool = False
) -> Callable[[Callable[Concatenate[CommandContext, P], Awaitable[int | None]]], Callable[P, int | None]]:
    """Turns a coroutine function, which returns an exit code or None, into a click callback.

    `secrets` tells whether the command needs the secret key.
    """

    def decorate(work: Callable[Concatenate[CommandContext, P], Awaitable[int | None]]) -> Callable[P, int | None]:
        @functools.wraps(work)
        def command(*args: P.args, **kwargs: P.kwargs) -> int | None:
            ctx = click.get_current_context()

            async def run(core: Core) -> int | None:
                workspace = await _find_workspace(LookupService(core.database), ctx.meta.get(WORKSPACE))
                context = CommandContext(
                    core,
                    Actor(workspace.id, "admin"),
                    LookupService(core.database),
                    console.get_invocation(ctx).as_json,
                    console.table_width(ctx),
                )
                return await work(context, *args, **kwargs)

            return run_with_core(ctx, run, secrets=secrets)

        return command

    return decorate


def run_with_core(ctx: click.Context, work: Callable[[Core], Awaitable[T]], *, secrets: bool = False) -> T:
    """Runs `work` with a core, which is not limited to one workspace."""
    config = console.get_invocation(ctx).load_config()
    # Only warnings and errors are logged, because commands print their own output.
    log.configure_logging(config.server.log_format, "warning")

    async def run() -> T:
        async with open_core(config, secrets=secrets) as core:
            return await work(core)

    return console.run(run())


async def _find_workspace(lookup: LookupService, id_or_name: str | None) -> Workspace:
    if id_or_name is not None:
        return await lookup.find_workspace(id_or_name)
    known = await lookup.list_workspaces()
    if not known:
        raise Refused("not_found", "there is no workspace yet: run `emailrouter init`")
    if len(known) > 1:
        listed = ", ".join(f"{workspace.name} ({workspace.id})" for workspace in known[:20])
        raise click.UsageError(
            f"--workspace is required, there are several workspaces: {console.printable_text(listed)}"
        )
    return known[0]


def to_json(answer: Answer) -> Json:
    return answer.model_dump(mode="json", by_alias=True)


# --- prompts


def confirmation_option(function: F) -> F:
    return click.option("--yes", "-y", is_flag=True, help="Do not ask for confirmation.")(function)


def confirm(question: str, *, yes: bool) -> None:
    """Asks for confirmation unless `yes` is set.

    Raises `click.Abort` if the answer is no, and `click.UsageError` without a terminal.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(
            f"{console.printable_text(question)} Confirmation needs a terminal; without one, use --yes"
        )
    with _interruptible_prompt():
        click.confirm(console.printable_text(question), abort=True, err=True)


EXPOSURE_HINT = (
    "other users of this host can read command lines; use `{option} -` for standard input, or {option}-file PATH"
)


def read_secret(value: str | None, file: Path | None, *, prompt: str, option: str) -> str:
    """Reads a secret from standard input (`-`), a file, or a hidden prompt.

    Raises `click.UsageError` if `value` is the secret itself, if the input is not one line, or if there is no terminal
    for the prompt.
    """
    if value is not None and file is not None:
        raise click.UsageError(f"{option} and {option}-file cannot be used together")
    if file is not None:
        return _read_single_line(_decode(file.read_bytes(), str(file)), str(file))
    if value == "-":
        return _read_single_line(read_standard_input(), "standard input")
    if value is not None:
        raise click.UsageError(f"{option} accepts only `-`: {EXPOSURE_HINT.format(option=option)}")
    if not sys.stdin.isatty():
        raise click.UsageError(f"{option} is missing: use `{option} -` and pass the value on standard input")
    with _interruptible_prompt():
        entered: str = click.prompt(prompt, hide_input=True, err=True)
    return entered


@contextlib.contextmanager
def _interruptible_prompt() -> Iterator[None]:
    """Lets Ctrl-C end a prompt immediately. The handler of `asyncio.Runner` would only cancel the blocked task."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def read_text(text: str) -> str:
    """Returns the value of an option, or standard input for `-`."""
    return read_standard_input() if text == "-" else text


def read_file_text(file: Path) -> str:
    """Returns the text of a file, or standard input for `-`."""
    return read_standard_input() if str(file) == "-" else _decode(file.read_bytes(), str(file))


def read_standard_input() -> str:
    return _decode(sys.stdin.buffer.read(), "standard input")


def _decode(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise click.UsageError(f"{console.printable_text(where)} is not valid UTF-8") from None


def _read_single_line(text: str, where: str) -> str:
    lines = text.strip().splitlines()
    if len(lines) != 1:
        raise click.UsageError(f"{console.printable_text(where)} must contain one line, but contains {len(lines)}")
    return lines[0].strip()


def _print_fields(fields: Mapping[str, object], indent: str = "") -> None:
    width = max((len(label(key)) for key in fields), default=0)
    for key, value in fields.items():
        click.echo(f"{indent}{label(key).ljust(width)}  {console.format_cell(value)}")


def _is_table(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def display_value(value: object, display_texts: Mapping[str, str] | None = None) -> object:
    """Returns a value of JSON as text for a cell, or unchanged."""
    match value:
        case str() if display_texts is not None:
            return display_texts.get(value, value)
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return join_names(str(display_value(entry)) for entry in value)
        case dict():
            return ", ".join(f"{name}: {display_value(entry)}" for name, entry in _flatten(value))
        case _:
            return value


def _flatten(value: Json) -> Iterator[tuple[str, object]]:
    """Yields the set values of an object, and those of the objects in it, where None stands for a removed value."""
    for name, entry in value.items():
        if isinstance(entry, dict):
            yield from ((key, "none" if nested is None else nested) for key, nested in entry.items())
        elif entry not in (None, ""):
            yield name, entry
