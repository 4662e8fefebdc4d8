"""Plays every `tests/dialogs/*.dialog` against a running server: each row of the SMTP table, each attack.

A dialogue that needs other settings than the defaults is named in `SETTINGS`.
"""

import ssl
from pathlib import Path
from typing import Any

import pytest

from smtp import replies
from smtp.replies import Reply
from tests.smtp.doubles import HOSTNAME, door
from tests.support.dialog import run_dialog

DIALOGS = sorted((Path(__file__).parent.parent / "dialogs").glob("*.dialog"))
SETTINGS: dict[str, dict[str, Any]] = {
    "too-many-recipients": {"max_recipients": 2},
    "blocked-sender": {"blocked_senders": ["bad@spam.example", "@junk.example"]},
    "size-declared": {"max_message_bytes": 1000},
    "size-sent": {"max_message_bytes": 1000},
    "mails-per-minute": {"max_mails_per_minute_per_ip": 2},
}
# Said only when a bound of this process or a fault is reached, which no dialogue can bring about by itself; the socket
# tests named here reach them.
NOT_IN_DIALOGS = {
    "ADDRESS_LISTED": "test_dnsbl:test_a_listed_address_is_refused_at_rcpt",
    "FAULT": "test_faults:test_accept_fails",
    "NO_STORAGE": "test_in_flight:test_who_waited_too_long_is_put_off",
    "SHUTTING_DOWN": "test_drain:test_idle_sessions_are_told_at_once_and_nobody_new_comes_in",
    "TIMEOUT": "test_deadlines:test_silence_before_a_command",
    "TOO_MANY_CONNECTIONS": "test_connections:test_too_many_in_all",
    "TOO_MANY_FROM_ADDRESS": "test_connections:test_too_many_from_one_address",
    "TOO_SLOW": "test_deadlines:test_too_slow_in_data",
}


@pytest.mark.parametrize("path", DIALOGS, ids=lambda path: path.stem)
async def test_dialog(path: Path, tls_files: tuple[Path, Path], tls_client: ssl.SSLContext) -> None:
    settings = dict(SETTINGS.get(path.stem, {}))
    if path.stem.startswith("starttls"):
        settings["tls_cert"], settings["tls_key"] = tls_files
    async with door(**settings) as server:
        await run_dialog(path, server.host, server.port, {"hostname": HOSTNAME}, tls_client)


def test_every_dialog_says_why() -> None:
    silent = [path.name for path in DIALOGS if not path.read_text().startswith("# ")]
    assert not silent


def test_settings_belong_to_dialogs() -> None:
    assert set(SETTINGS) <= {path.stem for path in DIALOGS}


def test_every_reply_is_in_a_dialog() -> None:
    expected = {
        line.removeprefix("S: ") for path in DIALOGS for line in path.read_text().splitlines() if line.startswith("S: ")
    }
    named = {name: reply for name, reply in vars(replies).items() if isinstance(reply, Reply)}
    said = {name for name, reply in named.items() if reply.octets.decode().rstrip("\r\n") in expected}
    assert set(named) - said == set(NOT_IN_DIALOGS)


@pytest.mark.parametrize("test", NOT_IN_DIALOGS.values(), ids=NOT_IN_DIALOGS)
def test_the_others_have_the_test_that_is_named(test: str) -> None:
    module, _, name = test.partition(":")
    assert f"async def {name}(" in (Path(__file__).parent / f"{module}.py").read_text()
