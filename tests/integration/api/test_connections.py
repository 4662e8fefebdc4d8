"""Idle, slow and stalled connections are closed while others are served."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api import server
from tests.support.installation.http import ServedInstallation, serve_api, served_settings
from tests.support.stores import sqlite_store
from tests.support.waiting import wait_until

TIMEOUT_SECONDS = 0.25


@pytest.fixture
async def short_timeout(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServedInstallation]:
    settings = served_settings(keepalive_timeout=f"{TIMEOUT_SECONDS * 1000:.0f}ms")
    async with sqlite_store(tmp_path_factory.mktemp("api")) as store, serve_api(store, settings) as served:
        yield served


async def wait_until_closed(served: ServedInstallation, *chunks: bytes) -> bytes:
    """Sends the chunks; returns all bytes received until the connection is closed, `b""` if it is reset."""
    reader, writer = await asyncio.open_connection(*served.server.address)
    answer = asyncio.create_task(reader.read())
    try:
        for chunk in chunks:
            writer.write(chunk)
            await asyncio.wait([answer], timeout=TIMEOUT_SECONDS / 10)
            if answer.done():
                break
        async with asyncio.timeout(10):
            return await answer
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [b"GET /api/domains HTTP/1.1\r\nHost: x\r\n"],
        [b"GET /api/domains HTTP/1.1\r\nHost: x\r\n", *[b"X: y\r\n"] * 1000],
        [*(bytes([byte]) for byte in b"GET /api/domains HTTP/1.1\r\n" * 100)],
    ],
    ids=["no data", "half a head", "endless head, line by line", "head byte by byte"],
)
async def test_incomplete_request_head_times_out(short_timeout: ServedInstallation, chunks: list[bytes]) -> None:
    assert await wait_until_closed(short_timeout, *chunks) == b""
    assert (await short_timeout.anonymous.get("//healthz")).status == 200


async def test_idle_connection_is_closed(short_timeout: ServedInstallation) -> None:
    answer = await wait_until_closed(short_timeout, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_endless_request_head_is_rejected(sqlite_served: ServedInstallation) -> None:
    answer = await wait_until_closed(sqlite_served, b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-Filler: y\r\n" * 100_000)
    assert answer.startswith(b"HTTP/1.1 4") or answer == b""
    assert (await sqlite_served.anonymous.get("//healthz")).status == 200


async def test_connection_limit_per_address(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async with sqlite_store(tmp_path) as store, serve_api(store, served_settings(max_connections_per_ip=3)) as served:
        connections = [await asyncio.open_connection(*served.server.address) for _ in range(3)]
        try:
            assert [await wait_until_closed(served) for _ in range(2)] == [b"", b""]
            reader, writer = connections[0]
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
            assert (await served.anonymous.get("//healthz")).status == 200, "the slot is free again"
        finally:
            for _, writer in connections:
                writer.close()
    assert capfd.readouterr().out.count("api.connection_refused") == 1


async def test_connection_of_a_client_that_reads_nothing_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "CLIENT_READ_SECONDS", TIMEOUT_SECONDS)
    requests = b"GET /api/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 2000
    async with sqlite_store(tmp_path) as store, serve_api(store, served_settings()) as served:
        with socket.socket() as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.connect(served.server.address)
            peer.setblocking(False)

            def is_reset() -> bool:
                try:
                    peer.send(requests)
                except BlockingIOError:
                    return False
                except ConnectionError:
                    return True
                return False

            await wait_until(is_reset, "the connection to be reset")
