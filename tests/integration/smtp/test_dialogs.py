"""Runs every `tests/dialogs/*.dialog` against a running server.

`SETTINGS` contains the settings that some dialogues need; those of STARTTLS also get a certificate. `PREPARATIONS`
contains the dialogues that tests/system omits, and the context in which each of them runs here.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from router.errors import StorageFull
from smtp import replies
from smtp.deadline import Phase
from smtp.replies import Reply
from tests.integration.smtp.test_dnsbl import FakeBlockListResolver
from tests.support.dialog import run_dialog
from tests.support.smtp import RawSmtp
from tests.support.smtp_doubles import HOSTNAME, RunningSmtpServer, running_server
from tests.support.waiting import wait_until

DIALOGS = sorted((Path(__file__).parents[2] / "dialogs").glob("*.dialog"))
SETTINGS: dict[str, dict[str, Any]] = {
    "too-many-recipients": {"max_recipients": 2},
    "refused-recipients": {"max_recipients": 2},
    "blocked-sender": {"blocked_senders": ["bad@spam.example", "@junk.example"]},
    "size-declared": {"max_message_bytes": 1000},
    "size-sent": {"max_message_bytes": 1000},
    "mails-per-minute": {"max_mails_per_minute_per_ip": 2},
    "silence": {"command_timeout": "100ms"},
    "session-timeout": {"max_session": "100ms"},
    "too-slow": {"data_timeout": "500ms", "min_data_rate": 1000000},
    "too-many-connections": {"max_connections": 1},
    "too-many-from-address": {"max_connections_per_ip": 1},
    "listed": {"proxy_protocol": True, "trusted_networks": ["127.0.0.0/8"], "dnsbl": ["zen.test"]},
}
LISTED = FakeBlockListResolver({"7.2.0.192.zen.test.": ["127.0.0.2"]})


@asynccontextmanager
async def run_concurrently(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.ensure_future(work)
    try:
        yield
        if task.done():
            task.result()
    finally:
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def fail_accept(server: RunningSmtpServer, failure: Exception) -> AsyncIterator[None]:
    server.mails.failure = failure
    yield


async def send_slowly(server: RunningSmtpServer) -> None:
    """Feeds three bytes at a time to each connection that receives content, so that no read times out."""
    while True:
        for connection in list(server.server._connections):
            if connection.phase is Phase.CONTENT:
                connection.data_received(b"x\r\n")
        await asyncio.sleep(0.02)


@asynccontextmanager
async def stop_during_accept(server: RunningSmtpServer) -> AsyncIterator[None]:
    server.mails.gate = gate = asyncio.Event()

    async def stop() -> None:
        await server.mails.accept_started.wait()
        draining = asyncio.ensure_future(server.server.drain(timedelta(seconds=20)))
        await wait_until(lambda: not server.server.addresses, "the server drains")
        gate.set()
        await draining

    async with run_concurrently(stop()):
        yield


@asynccontextmanager
async def occupy_connection(server: RunningSmtpServer) -> AsyncIterator[None]:
    async with await RawSmtp.connect(server.host, server.port):
        yield


PREPARATIONS: dict[str, Callable[[RunningSmtpServer], AbstractAsyncContextManager[None]]] = {
    "fault": lambda server: fail_accept(server, RuntimeError("an internal detail")),
    "no-storage": lambda server: fail_accept(server, StorageFull("an internal detail")),
    "too-many-connections": occupy_connection,
    "too-many-from-address": occupy_connection,
    "too-slow": lambda server: run_concurrently(send_slowly(server)),
    "shutting-down": stop_during_accept,
    # These dialogues need no preparation. tests/system omits "listed", which needs a fake resolver, and
    # "session-timeout", for which it would start the program once more.
    "listed": lambda _server: nullcontext(),
    "session-timeout": lambda _server: nullcontext(),
}


@pytest.mark.parametrize("path", DIALOGS, ids=lambda path: path.stem)
async def test_dialog(path: Path, tls_files: tuple[Path, Path], tls_client: ssl.SSLContext) -> None:
    settings = dict(SETTINGS.get(path.stem, {}))
    if path.stem.startswith("starttls"):
        settings["tls_cert"], settings["tls_key"] = tls_files
    prepare = PREPARATIONS.get(path.stem)
    async with running_server(resolver=LISTED, **settings) as server, prepare(server) if prepare else nullcontext():
        await run_dialog(path, server.host, server.port, {"hostname": HOSTNAME}, tls_client)


def test_every_dialog_explains_itself() -> None:
    unexplained = [path.name for path in DIALOGS if not path.read_text().startswith("# ")]
    assert not unexplained


def test_settings_belong_to_dialogs() -> None:
    assert set(SETTINGS) | set(PREPARATIONS) <= {path.stem for path in DIALOGS}


def test_every_reply_is_in_a_dialog() -> None:
    expected = {
        line.removeprefix("S: ") for path in DIALOGS for line in path.read_text().splitlines() if line.startswith("S: ")
    }
    named = {name: reply for name, reply in vars(replies).items() if isinstance(reply, Reply)}
    covered = {name for name, reply in named.items() if reply.encoded.decode().rstrip("\r\n") in expected}
    assert set(named) - covered == set()


def test_every_reply_but_354_has_an_enhanced_code() -> None:
    """RFC 2034 section 4 requires the codes, except in 3yz replies, the greeting, and the replies to HELO and EHLO."""
    without = {name for name, reply in vars(replies).items() if isinstance(reply, Reply) and not reply.enhanced}
    assert without == {"START_DATA"}
