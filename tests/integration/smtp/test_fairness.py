"""Pipelined commands of one peer do not starve other connections.

The first test counts the commands that run between two iterations of the event loop.
"""

import asyncio
from unittest import mock

import pytest

from smtp import connection as smtp_connection
from smtp.data import ChunkReader
from smtp.transport import PauseReason
from tests.support.smtp import RawSmtp
from tests.support.smtp_doubles import RunningSmtpServer, running_server
from tests.support.waiting import wait_until

FLOODS = [
    b"RCPT TO:<support@example.com>\r\n",
    b"BDAT 1\r\nx",
    b"MAIL FROM:<a@client.test> SIZE=99999999999\r\n",
]


async def open_session(host: str, port: int, *, transaction: bool = True) -> RawSmtp:
    client = await RawSmtp.connect(host, port)
    await client.command("EHLO client.test", 250)
    if transaction:
        await client.command("MAIL FROM:<a@client.test>", 250)
        await client.command("RCPT TO:<support@example.com>", 250)
    return client


@pytest.mark.parametrize("command", FLOODS, ids=["RCPT", "BDAT", "MAIL"])
async def test_command_flood_yields_to_other_connections(command: bytes) -> None:
    async with running_server() as server:
        client = await open_session(server.host, server.port, transaction=not command.startswith(b"MAIL"))
        connection = server.connection
        remaining = 90
        connection.data_received(command * remaining)
        while remaining:
            await asyncio.sleep(0)
            now_remaining = -(-len(connection._io.lines.buffer) // len(command))
            assert remaining - now_remaining <= 16
            remaining = now_remaining
        await client.close()


async def test_chunk_reads_only_its_own_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading all buffered bytes for each chunk would take quadratic time."""
    pieces: list[bytes] = []

    class RecordingChunkReader(ChunkReader):
        def feed(self, piece: bytes) -> bytes | None:
            pieces.append(piece)
            return super().feed(piece)

    monkeypatch.setattr(smtp_connection, "ChunkReader", RecordingChunkReader)
    async with running_server() as server:
        client = await open_session(server.host, server.port)
        await client.send_bytes(b"BDAT 1\r\nx" * 50 + b"BDAT 0 LAST\r\n")
        for _ in range(51):
            await client.expect(250)
        assert server.mails.contents == [b"x" * 50]
        assert {len(piece) for piece in pieces} == {0, 1}
        await client.close()


async def test_empty_chunks_are_idle_commands() -> None:
    """The number of empty chunks is limited."""
    async with running_server() as server:
        client = await open_session(server.host, server.port)
        await client.send_bytes(b"BDAT 0\r\n" * 120)
        for code in (*[250] * 100, *[503] * 10, 421):
            await client.expect(code)
        assert not await client.read_to_eof()
        await client.close()


async def test_repeatedly_rejected_mail_ends_the_session() -> None:
    """The last reply is 421, not 5yz: the next pipelined message may be legitimate."""
    async with running_server() as server:
        client = await open_session(server.host, server.port, transaction=False)
        await client.send_bytes(b"MAIL FROM:<a@client.test> SIZE=99999999999\r\n" * 120)
        for code in (*[552] * 100, 421):
            await client.expect(code)
        assert not await client.read_to_eof()
        await client.close()


async def test_endless_mail_is_throttled() -> None:
    async with running_server(max_message_bytes=1000) as server:
        client = await open_session(server.host, server.port)
        await client.command("DATA", 354)
        await assert_pauses_after_each_piece(client, server)
        await client.send_bytes(b"\r\n.\r\n")
        await client.expect(552)
        await client.command("NOOP", 250)
        await client.close()


async def test_endless_line_is_throttled() -> None:
    async with running_server() as server:
        client = await open_session(server.host, server.port, transaction=False)
        transport = server.connection._io
        await client.send_bytes(b"x" * 5000)
        await wait_until(lambda: transport.lines.is_skipping, "the line is rejected")
        await assert_pauses_after_each_piece(client, server)
        await client.send_bytes(b"\r\nNOOP\r\n")
        await client.expect(500)
        await client.expect(250)
        await client.close()


async def assert_pauses_after_each_piece(client: RawSmtp, server: RunningSmtpServer) -> None:
    transport, throttle = server.connection._io, server.server._context.throttle
    next_pause = throttle.next_pause
    paused: list[tuple[int, set[PauseReason], bool]] = []

    def recorded(nbytes: int, now: float) -> float:
        # Record the state here: on a busy machine, the pause may end before the test continues.
        paused.append((nbytes, set(transport.pauses), transport._transport.is_reading()))
        return next_pause(nbytes, now)

    with mock.patch.object(throttle, "next_pause", recorded):
        for n in range(1, 6):
            await client.send_bytes(b"x" * 2000)
            await wait_until(lambda n=n: len(paused) == n, "reading pauses")  # type: ignore[misc]  # the default binds the current `n`
    assert paused == [(2000, {PauseReason.THROTTLE}, False)] * 5
    await wait_until(transport._transport.is_reading, "reading resumes")
    assert not transport.pauses
