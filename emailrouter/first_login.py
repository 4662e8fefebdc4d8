"""The first login of an installation, shown once by `init`, or by `serve` with an empty embedded database.

Without a terminal, `serve` writes the login to `data_dir/first-login` (mode 0600) and logs only this path. Using the
setup link deletes the file (`router.admin.access.setup_link`).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import structlog

from config.schema import Config
from config.values import Address
from emailrouter.assembly import link_base
from emailrouter.assembly.core import AnyDatabase
from router.admin.access.setup_link import FIRST_LOGIN_FILE
from router.admin.installation.first_workspace import FirstLogin, SetupService
from router.clock import SystemClock
from router.errors import Refused

log = structlog.get_logger()


def default_email(config: Config) -> str:
    return f"admin@{config.server.hostname}" if "." in config.server.hostname else "admin@example.com"


async def create_if_empty(config: Config, database: AnyDatabase) -> None:
    setup = SetupService(database, SystemClock())
    if not await setup.is_needed():
        return
    path = config.server.data_dir / FIRST_LOGIN_FILE
    if not sys.stderr.isatty():
        # Raises OSError before the login exists: later, nobody could read the password.
        _check_writable(path)
    try:
        login = await setup.create_first_workspace(default_email(config))
    except Refused:
        return  # another process created the workspace
    text = format_login(login, first_address(config))
    if not _print_on_terminal(text):
        # The key is recorded before the file is written, so that using the setup link revokes the key even
        # after a crash.
        await setup.record_file_key(login)
        _write_private_file(path, text)
        log.info("first_login.written", path=str(path))


def _print_on_terminal(text: str) -> bool:
    """Prints the text on the terminal.

    Returns False without a terminal or on failure; the caller must then store the text.
    """
    if not sys.stderr.isatty():
        return False
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:  # such as a terminal that has hung up
        return False
    return True


def first_address(config: Config) -> str:
    """Returns the base URL for the first visit.

    If `public_url` is a loopback URL, returns the URL of the API's listen address, unless that is unknown.
    """
    listen = config.api.listen
    if link_base(config) is not None or not isinstance(listen, Address) or not listen.port:
        return config.server.public_url
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host)  # noqa: S104 - replaced, not bound
    return f"http://{Address(host, listen.port)}"


def format_login(login: FirstLogin, address: str) -> str:
    return f"""
The first login of this installation. It is shown only once:

  workspace  {login.workspace_id}
  email      {login.email}
  password   {login.password}
  API key    {login.key}

{_format_link(login, address)}Try it:  curl -H 'Authorization: Bearer {login.key}' {address}/api/domains

"""


def _format_link(login: FirstLogin, address: str) -> str:
    if not login.link:
        return ""
    return f"""Open this link in a browser to set your password. It works once and expires after a week:

  {address.rstrip("/")}/welcome?token={login.link}

"""


def _check_writable(path: Path) -> None:
    draft = _draft_path(path)
    os.close(_open_private_file(draft))
    draft.unlink()


def _write_private_file(path: Path, text: str) -> None:
    """Writes the file completely or not at all: programs wait for it."""
    draft = _draft_path(path)
    try:
        with os.fdopen(_open_private_file(draft), "w", encoding="utf-8") as file:
            file.truncate()
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _draft_path(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}")


def _open_private_file(path: Path) -> int:
    """Opens or creates a file for writing, with mode 0600. Returns its descriptor."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.fchmod(descriptor, 0o600)  # `os.open` does not change the mode of an existing file
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
