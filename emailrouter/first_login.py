"""The first login of an installation, shown once: by `init`, or by `serve` on an empty embedded database.

A terminal sees it; where nobody looks it goes into `data_dir/first-login` (0600) and the log names that file alone.
The file is deleted when its link is used (`router.admin.access.setup_link`).
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
    """Who the first admin is when nobody said: a name at this host, where that is a domain."""
    return f"admin@{config.server.hostname}" if "." in config.server.hostname else "admin@example.com"


async def create_if_empty(config: Config, opened: AnyDatabase) -> None:
    """Makes and shows the first login when there is no workspace yet."""
    setup = SetupService(opened, SystemClock())
    if not await setup.is_needed():
        return
    try:
        login = await setup.create_first_workspace(default_email(config))
    except Refused:
        return  # another process was first, and shows its own
    text = format_login(login, first_address(config))
    if not _print_on_terminal(text):
        path = config.server.data_dir / FIRST_LOGIN_FILE
        await setup.record_file_key(
            login
        )  # before the file exists: a crash between leaves no file with a key that stays
        _write_private_file(path, text)
        log.info("first_login.written", path=str(path))


def _print_on_terminal(text: str) -> bool:
    """Whether there is a terminal, and it took the text: what is lost here is never shown again."""
    if not sys.stderr.isatty():
        return False
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:  # the terminal has hung up
        return False
    return True


def first_address(config: Config) -> str:
    """Where the first visit goes: `public_url`; while that is loopback, as it is before anybody set it, where the API
    listens, which may have been set alone.
    """
    listen = config.api.listen
    if link_base(config) is not None or not isinstance(listen, Address) or not listen.port:
        return config.server.public_url
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host)  # noqa: S104 - not a place to listen at: what to write instead of it
    return f"http://{Address(host, listen.port)}"


def format_login(login: FirstLogin, address: str) -> str:
    """What a person is shown, this one time. address: of the API and the dashboard."""
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


def _write_private_file(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)  # also when the file was there before, with other rights
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
