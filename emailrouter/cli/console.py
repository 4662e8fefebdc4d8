"""The basis of all commands: the options `--config` and `--json`, error handling and output.

Exit codes: 0 success, 1 failure, 2 invalid usage or configuration. An expected error is one line on standard error.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TextIO, TypeVar

import click
import structlog
from click.shell_completion import add_completion_class

from config.load import ConfigError, load
from config.schema import Config
from emailrouter import log
from emailrouter.cli import help_pages
from emailrouter.cli.name_completion import add_completion
from emailrouter.cli.tables import Column, display_width, minutes, render_table
from emailrouter.lifecycle import BackgroundTaskEnded
from emailrouter.line_writer import LineWriter
from emailrouter.os_errors import describe_os_error, describe_unavailable
from emailrouter.secret_key import WrongSecretKey
from router.errors import ConfigurationFault, Refused, SchemaMismatch, Unavailable
from router.unicode_security import append_a_labels, safe_line

try:
    import uvloop

    _new_event_loop: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
except ImportError:  # uvloop is optional; the standard loop is slower
    _new_event_loop = asyncio.new_event_loop

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
COMPLETE_VARIABLE = "_EMAILROUTER_COMPLETE"
"""Set by the shell for completion (the name is click's)."""
DEFAULT_WIDTH = 80
"""Width of tables in a pipe."""
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(slots=True)
class Invocation:
    """The values of the shared options."""

    config_path: Path | None = None
    as_json: bool = False
    wide: bool = False
    config: Config | None = None
    """The configuration that the command has loaded; messages about errors name its settings."""

    def load_config(self) -> Config:
        self.config = load(self.config_path, os.environ)
        return self.config


def _set_config_path(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        get_invocation(ctx).config_path = Path(value)


def _set_json_output(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        get_invocation(ctx).as_json = True


def _set_wide(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        get_invocation(ctx).wide = True


def get_invocation(ctx: click.Context) -> Invocation:
    found: Invocation = ctx.find_root().ensure_object(Invocation)
    return found


def _shared_options() -> list[click.Parameter]:
    return [
        click.Option(
            ["--config"],
            type=click.Path(),
            metavar="PATH",
            expose_value=False,
            is_eager=True,
            callback=_set_config_path,
            help="Configuration file.  [default: ./emailrouter.toml, else /etc/emailrouter/emailrouter.toml]",
        ),
        click.Option(
            ["--json"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_set_json_output,
            help="Print the output as JSON.",
        ),
    ]


class Command(click.Command):
    """A command with the shared options. `examples` are command lines without the name of the program."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)
        self.params += _shared_options()
        add_completion(self)
        self.context_settings["allow_extra_args"] = True  # `parse_args` rejects extra arguments

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parses as click does, but rejects texts that are not UTF-8.

        URLs, which may contain secrets, are masked in the error about extra arguments.
        """
        extra = super().parse_args(ctx, args)
        if extra and not ctx.resilient_parsing:
            ctx.fail(f"unexpected extra arguments: {' '.join('***' if '://' in value else value for value in extra)}")
        for param in self.params:
            value = ctx.params.get(param.name or "")
            if isinstance(param.type, click.types.StringParamType) and not _is_unicode(value):
                raise click.BadParameter("not valid UTF-8", ctx=ctx, param=param)
        return extra

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        help_pages.write_examples(formatter, self.examples)
        super().format_epilog(ctx, formatter)


def _is_unicode(value: object) -> bool:
    """Whether a text or a list of texts has no lone surrogates, which stand for bytes that are not UTF-8."""
    texts = value if isinstance(value, tuple) else (value,)
    return not any(isinstance(text, str) and _SURROGATE.search(text) for text in texts)


class Group(click.Group):
    """A group of commands, all with the shared options."""

    command_class = Command

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += _shared_options()

    def list_sections(self, ctx: click.Context) -> Mapping[str, Iterable[str]]:
        """Returns the names of the commands by the headings of the help page."""
        return {"Commands": self.list_commands(ctx)}

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        help_pages.write_commands(formatter, ctx, self, self.list_sections(ctx))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolves as click does, but also suggests commands of the groups below."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise help_pages.unknown_command(ctx, self, error.command_name) from None


Group.group_class = Group


def run(
    work: Coroutine[Any, Any, T],
    config: Config | None = None,
    new_loop: Callable[[], asyncio.AbstractEventLoop] = _new_event_loop,
) -> T:
    """Runs a coroutine, on uvloop if it is installed. `config` sets the log format and level."""
    if config is not None:
        log.configure_logging(config.server.log_format, config.server.log_level)
        log.log_uncaught_exceptions()
    elif not structlog.is_configured():  # structlog prints to standard output by default
        log.configure_logging("auto", "warning")
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(work)


def fail(message: str, code: int = 1) -> NoReturn:
    """Prints the message on standard error and exits with `code`."""
    writer = LineWriter(sys.stderr, str)
    writer.write(f"emailrouter: {message}")
    writer.flush()
    sys.exit(code)


def print_json(data: object) -> None:
    click.echo(json.dumps(data, indent=2, ensure_ascii=False))


def wide_option(function: F) -> F:
    """Adds `--wide` to a command that prints a list."""
    text = "Print every column, and no shortened cells, whatever the width of the terminal."
    return click.option("--wide", is_flag=True, expose_value=False, callback=_set_wide, help=text)(function)


def table_width(ctx: click.Context) -> int | None:
    """Returns the width of tables: COLUMNS, or the width of the terminal, or 80; None with `--wide`."""
    return None if get_invocation(ctx).wide else shutil.get_terminal_size((DEFAULT_WIDTH, 24)).columns


def measure_table(columns: Sequence[Column], rows: Sequence[Mapping[str, object]]) -> int:
    """Returns the width of the table in full."""
    texts = [[format_cell(row.get(column.field)) for column in columns] for row in rows]
    return max(map(display_width, render_table(columns, texts, None)))


def print_table(columns: Sequence[Column], rows: Sequence[Mapping[str, object]], width: int | None) -> None:
    """Prints the rows, which map the fields of `columns` to values. See `render_table` for `width`."""
    texts = [[_format_column_cell(column, row.get(column.field), width) for column in columns] for row in rows]
    for number, line in enumerate(render_table(columns, texts, width)):
        click.echo(line if number else click.style(line, bold=True))


def _format_column_cell(column: Column, value: object, width: int | None) -> str:
    text = format_cell(value)
    return minutes(text) if column.is_time and value and width is not None else text


def format_cell(value: object) -> str:
    """Formats a value as one line of text. Appends the A-labels (RFC 5890) of a deceptive domain."""
    return "-" if value is None or value == "" else printable_text(append_a_labels(str(value)))


def printable_text(text: str) -> str:
    """Removes deceptive characters, and replaces control characters, which could manipulate a terminal."""
    return "".join(
        c if c.isprintable() or unicodedata.category(c) == "Cf" else "\N{REPLACEMENT CHARACTER}"
        for c in safe_line(text)
    )


def run_command_line(command: click.Group) -> NoReturn:
    """Runs the command line and turns expected errors into a message and an exit code."""
    if COMPLETE_VARIABLE in os.environ:
        from emailrouter.cli.bash_completion import BashCompletion  # noqa: PLC0415 - only for completion

        add_completion_class(BashCompletion)
    try:
        _run(command)
    except SystemExit as ended:
        if not _flush(sys.stdout) and ended.code in (0, None):
            sys.exit(1)
        raise


def _run(command: click.Group) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Characters that the encoding of the stream lacks are escaped instead of raising an error.
            stream.reconfigure(errors="backslashreplace")
    invocation = Invocation()
    try:
        result = command.main(standalone_mode=False, prog_name="emailrouter", obj=invocation)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        ctx = error.ctx if isinstance(error, click.UsageError) else None
        more = f" (see `{ctx.command_path} --help`)" if ctx is not None else ""
        fail(" ".join(error.format_message().split()) + more, 2)
    except click.Abort:
        fail("aborted")
    except ConfigError as error:
        fail(describe_os_error(error.__cause__) if isinstance(error.__cause__, OSError) else str(error), 2)
    except (ConfigurationFault, WrongSecretKey) as error:
        fail(str(error), 2)
    except Refused as error:
        fail(_refusal_text(error))
    except (SchemaMismatch, BackgroundTaskEnded) as error:
        fail(str(error))
    except Unavailable as error:
        fail(f"the database is unavailable: {describe_unavailable(error, invocation.config)}")
    except OSError as error:
        fail(describe_os_error(error, invocation.config))
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(result if isinstance(result, int) else 0)


def _refusal_text(error: Refused) -> str:
    if error.field is None or error.message.startswith((f"{error.field} ", f"{error.field}[")):
        return error.message
    return f"{error.field}: {error.message}"


def _flush(stream: TextIO) -> bool:
    """Flushes the stream and returns whether that succeeded.

    After a failure, discards the buffered output. Otherwise the interpreter would try again at exit, and fail with its
    own message and exit code.
    """
    try:
        stream.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)
        return False
    return True
