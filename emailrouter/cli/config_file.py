"""`config` commands: the configuration file of this host."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from contextlib import suppress
from pathlib import Path

import click

from config.errors import SourceValue
from config.load import DEFAULT_PATHS, validate
from config.reference import render_sample
from config.schema import Config
from config.secret import DatabaseUrl
from config.values import system_hostname
from emailrouter.cli import console
from emailrouter.first_login import first_address
from router.errors import Refused

LISTEN = {"loopback": ["127.0.0.1:2525"], "public": ["0.0.0.0:25", "[::]:25"]}
# The group of the packages; the file may contain secrets, so other users cannot read it.
_GROUP = "emailrouter"
_MODE = 0o640
_HEADER = """\
# Email Router: all settings. A setting that is commented out has no default, or one that depends on the host.
# Written by `emailrouter config init`. `emailrouter check` tests the settings.
"""


@click.group(cls=console.Group, name="config")
def group() -> None:
    """Write the configuration file of this host."""


@group.command("init", examples=["config init --hostname mx1.example.com --listen public"])
@click.option("--hostname", metavar="NAME", help="Public host name of this server, which MX records will name.")
@click.option(
    "--listen",
    type=click.Choice(sorted(LISTEN)),
    help="Accept mail from this host only (port 2525), or from every host (port 25).  [default: loopback]",
)
@click.option(
    "--database",
    metavar="URL",
    help="sqlite:///FILE or postgresql://USER@HOST/NAME, without a password.  [default: sqlite:///emailrouter.db]",
)
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@click.pass_context
def init(ctx: click.Context, *, hostname: str | None, listen: str | None, database: str | None, force: bool) -> None:
    """Write an annotated configuration file with every setting.

    Writes ./emailrouter.toml, or the file of --config. On a terminal, asks for the host name and the listen addresses
    unless they are given.
    """
    invocation = console.get_invocation(ctx)
    path = invocation.config_path or DEFAULT_PATHS[0]
    if not force and path.exists():
        raise _exists_error(path)
    if _is_interactive() and not invocation.as_json:
        hostname = hostname or click.prompt("Public host name of this server", default=system_hostname(), err=True)
        if listen is None:
            question = "Accept mail from other hosts, on port 25?"
            listen = "public" if click.confirm(question, default=False, err=True) else "loopback"
    values: dict[str, object] = {"smtp.listen": LISTEN[listen or "loopback"]}
    if hostname is not None:
        values["server.hostname"] = hostname
    if database is not None:
        _check_has_no_password(database)
        values["database.url"] = database
    options = {"server.hostname": "--hostname", "smtp.listen": "--listen", "database.url": "--database"}
    config = validate({name: SourceValue(value, options[name]) for name, value in values.items()})
    _write(path, render_sample(values, _HEADER), force=force)
    if invocation.as_json:
        url = str(config.database.url)
        console.print_json({"path": str(path.absolute()), "hostname": config.server.hostname, "database": url})
    else:
        click.echo(_next_steps(path, config, public=listen == "public"))


def _is_interactive() -> bool:
    return sys.stdin.isatty()


def _exists_error(path: Path) -> Refused:
    return Refused("conflict", f"{path} exists: use --force to overwrite it, or --config PATH for another file")


def _check_has_no_password(url: str) -> None:
    try:
        has_password = DatabaseUrl.parse(url).has_password
    except ValueError:
        return  # `validate` reports it
    if has_password:
        raise click.UsageError(
            "--database accepts only a URL without a password: other users of this host can read command lines; "
            "write the password into the file, or set EMAILROUTER_DATABASE__URL_FILE"
        )


def _write(path: Path, text: str, *, force: bool) -> None:
    """Writes the file completely or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), _MODE)
            with suppress(LookupError, PermissionError):  # without this group, the file stays in the group of the user
                shutil.chown(file.fileno(), group=_GROUP)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if force:
            draft.replace(path)
        else:
            os.link(draft, path)  # fails if the file exists
    except FileExistsError:
        raise _exists_error(path) from None
    finally:
        draft.unlink(missing_ok=True)


def _next_steps(path: Path, config: Config, *, public: bool) -> str:
    option = "" if path in DEFAULT_PATHS else f" --config {shlex.quote(str(path))}"
    steps = []
    if config.database.url.path is None:
        steps += [("migrate", "create the schema"), ("init", "create the first user and print the login")]
    steps.append(("check", "what this host still needs, and how to fix it"))
    steps.append(("serve", "start; then open " + first_address(config)))
    width = max(len(f"emailrouter {command}{option}") for command, _ in steps)
    lines = [f"  {f'emailrouter {command}{option}'.ljust(width)}  {about}" for command, about in steps]
    listen = ", ".join(map(str, LISTEN["public" if public else "loopback"]))
    text = f"{path.absolute()} was written: host {config.server.hostname}, mail on {listen}.\n\nNext:\n"
    note = "\n\nPort 25 needs root, or the socket unit of systemd." if public and os.geteuid() != 0 else ""
    return text + "\n".join(lines) + note


COMMANDS = (group,)
