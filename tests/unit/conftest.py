"""Fails a unit test that binds or connects a socket, looks up a host, opens a SQLite database, or starts a process."""

import sys
from collections.abc import Iterator

import pytest

_REFUSED = frozenset(
    {
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.system",
        "socket.bind",
        "socket.connect",
        "socket.getaddrinfo",
        "socket.sendto",
        "sqlite3.connect",
        "subprocess.Popen",
    }
)
_events: list[str] = []


def _record(event: str, _: tuple[object, ...]) -> None:
    if event in _REFUSED:
        _events.append(event)


sys.addaudithook(_record)  # audit hooks cannot be removed


@pytest.fixture(autouse=True)
def reject_external_effects() -> Iterator[None]:
    _events.clear()
    yield
    assert not _events, f"a unit test raised {sorted(set(_events))}: move it to tests/integration or tests/system"
