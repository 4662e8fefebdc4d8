"""Fails a unit test that opens a socket or a database, or starts a process: it belongs to another tier."""

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
_seen: list[str] = []


def _record(event: str, _: tuple[object, ...]) -> None:
    if event in _REFUSED:
        _seen.append(event)


sys.addaudithook(_record)  # for the life of the process: the interpreter removes no audit hook


@pytest.fixture(autouse=True)
def nothing_outside_the_process() -> Iterator[None]:
    _seen.clear()
    yield
    assert not _seen, f"a unit test raised {sorted(set(_seen))}: move it to tests/integration or tests/system"
