"""The built-in load generator against servers in the test process."""

import asyncio
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bench.load import Load, LoadGenerator, filler_body
from bench.peers import MinimalSmtp, TlsHandshake, server_context
from tests.support.smtp_doubles import running_server


async def _send(load: Load, port: int) -> Any:
    return await LoadGenerator(load).run("127.0.0.1", port)


@pytest.mark.parametrize("per_connection", [1, 3, 0])
async def test_each_message_is_sent_once_with_its_id_and_size(per_connection: int) -> None:
    async with running_server() as server:
        load = Load(
            size=5000,
            mails=20,
            concurrency=4,
            per_connection=per_connection,
            recipient="support@example.com",
            timeout=10,
        )
        result = await _send(load, server.port)
    assert (result.accepted, result.refused, len(result.latencies)) == (20, {}, 20)
    assert len(set(server.mails.contents)) == 20
    assert {len(content) for content in server.mails.contents} == {5000}


async def test_mixed_messages_are_sent_in_turn() -> None:
    async with running_server() as server:
        load = Load(mails=4, concurrency=1, mixed=True, recipient="support@example.com", timeout=10)
        result = await _send(load, server.port)
    assert result.accepted == 4
    assert [b"multipart/alternative" in content for content in server.mails.contents] == [False, True, False, True]


async def test_recipients_are_used_round_robin() -> None:
    async with running_server() as server:
        load = Load(mails=6, concurrency=2, recipient="user1@example.com,user2@example.com", timeout=10)
        await _send(load, server.port)
        assert sorted(server.recipients.queries) == ["user1@example.com"] * 3 + ["user2@example.com"] * 3


async def test_a_rejection_is_counted_under_its_reply() -> None:
    async with running_server() as server:
        result = await _send(Load(mails=2, concurrency=1, recipient="nobody@example.com", timeout=10), server.port)
    assert result.accepted == 0
    assert sum(result.refused.values()) == 2
    assert all(reply.startswith("550") for reply in result.refused)


async def test_starttls(tls_files: tuple[Path, Path]) -> None:
    async with running_server(tls_cert=str(tls_files[0]), tls_key=str(tls_files[1])) as server:
        load = Load(mails=4, concurrency=2, starttls=True, recipient="support@example.com", timeout=10)
        result = await _send(load, server.port)
    assert result.accepted == 4
    assert all(envelope.tls for envelope, _ in server.mails.mails)


async def test_minimal_server_and_handshake(tls_files: tuple[Path, Path]) -> None:
    context = server_context(*tls_files)
    loop = asyncio.get_running_loop()
    loads = (Load(size=300_000), Load(starttls=True), Load(handshake=True))
    for factory, load in zip((MinimalSmtp, MinimalSmtp, TlsHandshake), loads, strict=True):
        server = await loop.create_server(partial(factory, context), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        result = await _send(replace(load, mails=4, concurrency=2, timeout=10), port)
        server.close()
        assert result.accepted == 4, (factory, result)


@pytest.mark.parametrize("size", [200, 279, 280, 4096])
def test_body_is_padded_to_the_size(size: int) -> None:
    content = filler_body(size, 200)
    assert content.endswith(b".\r\n")
    assert abs(len(content) - 3 - (size - 200)) <= 2  # a remainder of one or two bytes is too short for a line
