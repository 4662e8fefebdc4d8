"""`move`: copies everything to another database."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import click

from config.schema import Config
from config.secret import DatabaseUrl
from emailrouter import assembly, log
from emailrouter.cli import console
from emailrouter.cli.context import EXPOSURE_HINT, read_secret
from emailrouter.cli.tables import Column
from emailrouter.operator_services import open_existing_database
from router.errors import Refused
from router.secrets import KEY_FILE
from router.store import catalog, migrate
from router.store import move as moving
from router.store.move import TableCounts


@click.command(
    cls=console.Command, name="move", examples=["move --to postgresql://emailrouter@db.example.com/emailrouter"]
)
@click.option(
    "--to", "target", metavar="URL|-", help="Target database: a URL without a password, or `-` for standard input."
)
@click.option(
    "--to-file",
    "target_file",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Read the target URL from a file.",
)
@click.pass_context
def move(ctx: click.Context, target: str | None, target_file: Path | None) -> None:
    """Copy everything to another database.

    Both can be SQLite or PostgreSQL. The row counts are compared. Stop every process first: mail accepted meanwhile is
    not copied. The target must be empty; its schema is created. It is written in one transaction, so an interrupted
    move can be repeated. The source is only read.
    """
    invocation = console.get_invocation(ctx)
    config = invocation.load_config()
    url = _read_target_url(target, target_file)
    if _is_same_database(config.database.url, url):
        raise click.UsageError("--to is the source database")
    log.configure_logging(config.server.log_format, "warning")
    moved, changed_tables = console.run(_move(config, url))
    if invocation.as_json:
        rows = [{"table": counts.table, "source": counts.source, "target": counts.target} for counts in moved]
        console.print_json(
            {"from": str(config.database.url), "to": str(url), "tables": rows, "changedMeanwhile": changed_tables}
        )
    else:
        console.print_table(
            [Column("Table", "table"), Column("Source", "source"), Column("Target", "target")],
            [{"table": counts.table, "source": counts.source, "target": counts.target} for counts in moved],
            console.table_width(ctx),
        )
        if not changed_tables:
            click.echo(
                f"\nAll data was copied to {url}. Set database.url to this URL on every host. Keep the secret key,"
            )
            click.echo(f"which is in {(config.server.data_dir / KEY_FILE).absolute()} unless server.secret_key is set.")
    if changed_tables:
        raise Refused(
            "conflict",
            f"the source changed during the copy ({', '.join(changed_tables)}): "
            "stop every process, empty the target, and run the move again",
        )


def _read_target_url(value: str | None, file: Path | None) -> DatabaseUrl:
    """Reads the URL of the target. Raises `click.UsageError` for an invalid URL or a password on the command line."""
    given = value if value is not None and value != "-" else None
    try:
        url = DatabaseUrl.parse(given or read_secret(value, file, prompt="Database URL", option="--to"))
    except ValueError as error:
        raise click.UsageError(f"--to {error}") from None
    if given is not None and url.has_password:
        raise click.UsageError(f"--to accepts only a URL without a password: {EXPOSURE_HINT.format(option='--to')}")
    return url


async def _move(config: Config, url: DatabaseUrl) -> tuple[list[TableCounts], list[str]]:
    source = await open_existing_database(config)
    try:
        settings = config.database.model_copy(update={"url": url})
        target = assembly.build_database(config.model_copy(update={"database": settings}), catalog.load_catalog())
        try:
            await target.open()
            await migrate.migrate(target)
            moved = await moving.move(source, target, _progress_printer())
        finally:
            await target.close()
        after = await moving.count_rows(source)
        return moved, [counts.table for counts in moved if after[counts.table] != counts.source]
    finally:
        await source.close()


def _progress_printer() -> moving.ReportProgress:
    """Returns a function that prints progress; on a terminal, it updates one line for each table."""
    terminal = sys.stderr.isatty()

    def print_progress(table: str, done: int, total: int) -> None:
        with suppress(OSError):  # a failure to print must not stop the move
            if terminal:
                end = "\n" if done == total else ""
                click.echo(f"\r{table.ljust(20)} {done} of {total}{end}", nl=False, err=True)
            elif done == total:
                click.echo(f"{table} {total}", err=True)

    return print_progress


def _is_same_database(first: DatabaseUrl, second: DatabaseUrl) -> bool:
    if first.path is not None and second.path is not None:
        return first.path.resolve() == second.path.resolve()
    return first.reveal() == second.reveal()


COMMANDS = (move,)
