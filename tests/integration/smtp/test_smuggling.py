"""SMTP smuggling over sockets: no tested combination of CR, LF, NUL and dots starts a second message.

The combinations include sequences that some mail servers accept as the end of a message.
"""

import itertools
import ssl
from pathlib import Path

import pytest

from tests.integration.smtp.test_proxy import BEHIND_PROXY, header_v2
from tests.support.smtp import RawSmtp
from tests.support.smtp_doubles import RunningSmtpServer, running_server
from tests.unit.smtp.test_data import reference

SECOND = b"MAIL FROM:<forged@client.test>\r\nRCPT TO:<sales@example.com>\r\nDATA\r\nforged\r\n"
ENDS = [
    before + dot + after
    for before, dot, after in itertools.product(
        [b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n\0", b"\0"],
        [b".", b"..", b".\0", b"\0."],
        [b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r", b"\0\r\n"],
    )
    if not (before.endswith(b"\r\n") and dot == b"." and after == b"\r\n")
]


PROXY_HEADERS = {"version 1": b"PROXY TCP4 192.0.2.7 192.0.2.1 1234 25\r\n", "version 2": header_v2("192.0.2.7")}


async def start_mail(client: RawSmtp) -> None:
    await client.send_bytes(b"MAIL FROM:<a@client.test>\r\nRCPT TO:<support@example.com>\r\nDATA\r\n")
    for code in (250, 250, 354):
        await client.expect(code)


async def send_all(server: RunningSmtpServer, client: RawSmtp) -> None:
    await client.command("EHLO client.test", 250)
    for end in ENDS:
        stream = b"Subject: x\r\n\r\ntext" + end + SECOND + b".\r\n"
        await start_mail(client)
        await client.send_bytes(stream + b"NOOP\r\n")
        reply = await client.expect(250)
        assert reply.text.startswith("2.0.0 Ok: queued"), end
        assert (await client.expect(250)).text == "2.0.0 Ok"
        expected = reference(stream)
        assert expected is not None
        assert server.mails.contents[-1] == expected[0], end
    assert len(server.mails.mails) == len(ENDS)
    assert {envelope.reverse_path for envelope, _ in server.mails.mails} == {"a@client.test"}


async def test_unsplit() -> None:
    async with running_server() as server, await RawSmtp.connect(server.host, server.port) as client:
        await send_all(server, client)


async def test_over_tls(tls_files: tuple[Path, Path], tls_client: ssl.SSLContext) -> None:
    async with (
        running_server(tls_cert=tls_files[0], tls_key=tls_files[1]) as server,
        await RawSmtp.connect(server.host, server.port) as client,
    ):
        await client.starttls(tls_client)
        await send_all(server, client)


@pytest.mark.parametrize("header", PROXY_HEADERS.values(), ids=PROXY_HEADERS)
async def test_behind_proxy(header: bytes) -> None:
    async with (
        running_server(**BEHIND_PROXY) as server,
        await RawSmtp.connect(server.host, server.port, greeting=False) as client,
    ):
        await client.send_bytes(header)
        await client.expect(220)
        await send_all(server, client)
        assert {envelope.peer for envelope, _ in server.mails.mails} == {"192.0.2.7"}


async def test_behind_proxy_and_over_tls(tls_files: tuple[Path, Path], tls_client: ssl.SSLContext) -> None:
    async with (
        running_server(tls_cert=tls_files[0], tls_key=tls_files[1], **BEHIND_PROXY) as server,
        await RawSmtp.connect(server.host, server.port, greeting=False) as client,
    ):
        await client.send_bytes(PROXY_HEADERS["version 2"])
        await client.expect(220)
        await client.starttls(tls_client)
        await send_all(server, client)


@pytest.mark.parametrize("path", ["plain", "STARTTLS", *PROXY_HEADERS])
@pytest.mark.parametrize("end", [b"\r\n.\r\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r\r\n", b"\r\n\0.\r\n"])
async def test_split_at_every_boundary(
    end: bytes, path: str, tls_files: tuple[Path, Path], tls_client: ssl.SSLContext
) -> None:
    header = PROXY_HEADERS.get(path, b"")
    async with (
        running_server(tls_cert=tls_files[0], tls_key=tls_files[1], **(BEHIND_PROXY if header else {})) as server,
        await RawSmtp.connect(server.host, server.port, greeting=False) as client,
    ):
        await client.send_bytes(header)
        await client.expect(220)
        if path == "STARTTLS":
            await client.starttls(tls_client)
        await client.command("EHLO client.test", 250)
        tail = b".\r\n" if end != b"\r\n.\r\n" else b""
        second = SECOND if tail else b""
        stream = b"text" + end + second + tail
        for cut in range(1, len(end) + 5):
            await start_mail(client)
            await client.send_bytes(stream[:cut])
            # The greeting of this session shows that the server has read the first part of the stream.
            async with await RawSmtp.connect(server.host, server.port, greeting=False) as second_client:
                await second_client.send_bytes(header)
                await second_client.expect(220)
                await client.send_bytes(stream[cut:])
                assert (await client.expect(250)).text.startswith("2.0.0 Ok: queued")
        expected = reference(stream)
        assert expected is not None
        assert set(server.mails.contents) == {expected[0]}
