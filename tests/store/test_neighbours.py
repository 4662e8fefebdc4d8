"""Processes over one SQLite file tell each other that something is due; what cannot be told is found by looking."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from router.store.neighbours import Neighbours, listen
from tests.support.waiting import until


def sockets(folder: Path) -> list[Path]:
    """What lies in the folder."""
    return list(folder.iterdir())


@asynccontextmanager
async def listening(database: Path) -> AsyncIterator[list[str]]:
    """A deliverer that remembers what it was woken for."""
    heard: list[str] = []

    def wake(ids: Iterable[str]) -> None:
        heard.extend(ids)

    task = asyncio.create_task(listen(database, wake))
    await asyncio.sleep(0)
    try:
        yield heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_neighbour_is_woken_and_leaves_nothing_behind(tmp_path: Path) -> None:
    database = tmp_path / "emailrouter.db"
    neighbours = Neighbours(database)
    async with listening(database) as heard:
        (path,) = sockets(tmp_path)
        assert path.stat().st_mode & 0o777 == 0o600
        neighbours.wake(["int_a", "int_b"])
        neighbours.wake([])
        await until(lambda: heard == ["int_a", "int_b"], "woken")
    assert sockets(tmp_path) == []
    neighbours.wake(["int_a"])
    neighbours.close()


async def test_the_socket_of_a_killed_process_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "emailrouter.db-wake.1"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(str(left))
    neighbours = Neighbours(tmp_path / "emailrouter.db")
    neighbours.wake(["int_a"])
    neighbours.close()
    assert not left.exists()


async def test_nobody_waits_for_a_deliverer_that_does_not_read(tmp_path: Path) -> None:
    neighbours = Neighbours(tmp_path / "emailrouter.db")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stuck:
        stuck.bind(str(tmp_path / "emailrouter.db-wake.1"))
        for _ in range(2000):
            neighbours.wake(["int_a"])
        assert stuck.recv(100) == b"int_a"
    neighbours.close()


async def test_a_path_too_long_for_a_socket_leaves_it_to_looking(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    async with listening(folder / "emailrouter.db") as heard:
        neighbours = Neighbours(folder / "emailrouter.db")
        neighbours.wake(["int_a"])
        neighbours.close()
        assert heard == []
        assert sockets(folder) == []


@pytest.mark.parametrize("name", ["emailrouter.db", "mail [1].db"])
async def test_other_databases_in_the_folder_are_not_told(tmp_path: Path, name: str) -> None:
    async with listening(tmp_path / name) as heard, listening(tmp_path / f"other-{name}") as others:
        neighbours = Neighbours(tmp_path / name)
        neighbours.wake(["int_a"])
        await until(lambda: heard == ["int_a"], "woken")
        neighbours.close()
    assert others == []
