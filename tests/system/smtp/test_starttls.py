"""STARTTLS: encrypted replies, failed handshakes, and certificates, which are reloaded."""

import asyncio
import contextlib
import hashlib
import os
import pty
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from config.errors import ConfigError
from smtp.bounds import Bounds
from tests.support.smtp import RawSmtp, send_mail
from tests.support.smtp_doubles import RunningSmtpServer, running_server
from tests.support.waiting import wait_until
from tests.unit.smtp.conftest import write_certificate

TlsPair = tuple[Path, Path]


async def test_envelope_names_tls(tls_files: TlsPair, tls_client: ssl.SSLContext) -> None:
    async with running_server(tls_cert=tls_files[0], tls_key=tls_files[1]) as server:
        content = b"x" * 300_000 + b"\r\n"
        reply = await send_mail(
            server.host, server.port, "a@client.test", ["support@example.com"], content, tls=tls_client
        )
        assert reply.code == 250
        envelope, kept = server.mails.mails[0]
        assert kept == content
        assert envelope.protocol == "ESMTPS"
        assert envelope.tls.startswith("TLSv1.3 TLS_")


async def test_with_protocol_values(tls_files: TlsPair, tls_client: ssl.SSLContext) -> None:
    async with running_server(tls_cert=tls_files[0], tls_key=tls_files[1]) as server:
        to = (server.host, server.port, "a@client.test", ["support@example.com"], b"x\r\n")
        await send_mail(*to)
        await send_mail(*to, parameters="SMTPUTF8")
        await send_mail(*to, parameters="SMTPUTF8", tls=tls_client)
        async with await RawSmtp.connect(server.host, server.port) as client:
            await client.command("HELO client.test", 250)
            await client.command("MAIL FROM:<>", 250)
            await client.command("RCPT TO:<support@example.com>", 250)
            await client.data(b"x\r\n")
        protocols = [envelope.protocol for envelope, _ in server.mails.mails]
        assert protocols == ["ESMTP", "UTF8SMTP", "UTF8SMTPS", "SMTP"]
        assert server.mails.mails[-1][0].reverse_path == ""


async def test_commands_with_the_last_handshake_message_are_answered_inside_tls(
    tls_files: TlsPair, tls_client: ssl.SSLContext
) -> None:
    """The client sends its Finished message and its first commands at once.

    The server must send no reply before `start_tls` returns.
    """
    async with running_server(tls_cert=tls_files[0], tls_key=tls_files[1]) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = tls_client.wrap_bio(incoming, outgoing, server_hostname=None)
        await reader.readline()
        writer.write(b"STARTTLS\r\n")
        assert (await reader.readline()).startswith(b"220 2.0.0")
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                writer.write(outgoing.read())
                incoming.write(await reader.read(65536))
        tls.write(b"EHLO client.test\r\nNOOP\r\n")
        writer.write(outgoing.read())
        received = b""
        while b"250 2.0.0 Ok" not in received:
            try:
                received += tls.read(65536)
            except ssl.SSLWantReadError:
                data = await asyncio.wait_for(reader.read(65536), 5)
                assert data, received
                assert data[0] in (0x14, 0x16, 0x17), f"in clear: {data!r}"
                incoming.write(data)
        writer.close()
        await writer.wait_closed()


async def assert_counted_once(server: RunningSmtpServer) -> None:
    """Asserts that no end of a connection was counted twice."""
    # A second count would happen before this connection is established.
    async with await RawSmtp.connect(server.host, server.port):
        assert server.server._context.limits.connection_count == 1


async def test_throttle_pause_ends_with_the_handshake(tls_files: TlsPair, tls_client: ssl.SSLContext) -> None:
    """`start_tls` resumes reading. A pause that is still set afterwards would disable backpressure."""
    async with (
        running_server(tls_cert=tls_files[0], tls_key=tls_files[1]) as server,
        await RawSmtp.connect(server.host, server.port) as client,
    ):
        connection = server.connection
        await client.command("EHLO client.test", 250)
        await client.send_bytes(b"x" * 5000)
        await wait_until(lambda: connection._io.lines.is_skipping, "the line is rejected")
        # As if other connections kept the throttle busy for 2 s.
        server.server._context.throttle.next_pause(2 * Bounds.discard_rate, asyncio.get_running_loop().time())
        await client.send_bytes(b"x\r\nSTARTTLS\r\n")
        await client.expect(500)
        await client.expect(220)
        await client.start_tls(tls_client)
        await client.command("EHLO client.test", 250)
        await client.command("MAIL FROM:<>", 250)
        server.recipients.gate = asyncio.Event()
        await client.send_line("RCPT TO:<support@example.com>")
        flood = asyncio.ensure_future(client.send_bytes(b"NOOP\r\n" * 1_000_000))
        await wait_until(lambda: not connection._io._transport.is_reading(), "reading pauses")
        assert len(connection._io.lines.buffer) < 1_000_000
        server.recipients.gate.set()
        await client.expect(250)
        flood.cancel()
        await client.abort()


@pytest.mark.parametrize("garbage", [b"EHLO client.test\r\n", b"\0" * 5000, b"\x16\x03\x01\xff\xff" + b"x" * 100])
async def test_failed_handshake_ends_the_session_silently(tls_files: TlsPair, garbage: bytes) -> None:
    async with running_server(tls_cert=tls_files[0], tls_key=tls_files[1]) as server:
        async with await RawSmtp.connect(server.host, server.port) as client:
            await client.command("STARTTLS", 220)
            await client.send_bytes(garbage)
            if garbage.startswith(b"\x16"):
                client.half_close()
            assert b"250" not in await client.read_to_eof()
        await wait_until(lambda: server.server.connection_count == 0, "the session ends")
        await assert_counted_once(server)


@pytest.mark.parametrize("leave", [RawSmtp.abort, RawSmtp.close])
async def test_disconnect_during_the_handshake_is_counted_out(tls_files: TlsPair, leave: object) -> None:
    async with running_server(tls_cert=tls_files[0], tls_key=tls_files[1]) as server:
        client = await RawSmtp.connect(server.host, server.port)
        await client.command("STARTTLS", 220)
        await (RawSmtp.abort if leave is RawSmtp.abort else RawSmtp.close)(client)
        await wait_until(lambda: server.server.connection_count == 0, "the session ends")
        await assert_counted_once(server)


async def test_missing_handshake_ends_the_session_silently(tls_files: TlsPair) -> None:
    async with running_server(bounds={"handshake_timeout": 0.1}, tls_cert=tls_files[0], tls_key=tls_files[1]) as server:
        async with await RawSmtp.connect(server.host, server.port) as client:
            await client.command("STARTTLS", 220)
            assert not await client.read_to_eof()
        await wait_until(lambda: server.server.connection_count == 0, "the session ends")
        await assert_counted_once(server)


async def test_old_tls_version_is_rejected(tls_files: TlsPair, ca: trustme.CA) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname = False
    ca.configure_trust(old)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with (
        running_server(tls_cert=tls_files[0], tls_key=tls_files[1]) as server,
        await RawSmtp.connect(server.host, server.port) as client,
    ):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await client.starttls(old)


async def test_new_certificate_is_used_and_open_sessions_continue(
    tmp_path: Path, ca: trustme.CA, tls_client: ssl.SSLContext
) -> None:
    chain, key = write_certificate(ca, tmp_path)
    async with running_server(tls_cert=chain, tls_key=key) as server:

        async def certificate() -> tuple[RawSmtp, str]:
            client = await RawSmtp.connect(server.host, server.port)
            await client.starttls(tls_client)
            tls = client._writer.get_extra_info("ssl_object")
            return client, hashlib.sha256(tls.getpeercert(binary_form=True)).hexdigest()

        first, before = await certificate()
        original = key.read_bytes()
        key.write_bytes(b"-----BEGIN PRIVATE KEY-----\n")
        second, still = await certificate()
        assert still == before
        key.write_bytes(original)
        write_certificate(ca, tmp_path)
        third, after = await certificate()
        assert after != before
        server.server.reload()
        fourth, same = await certificate()
        assert same == after
        for client in (first, second, third, fourth):
            await client.command("NOOP", 250)
            await client.close()


async def test_unusable_certificate_stops_the_start_and_names_the_key(tmp_path: Path, ca: trustme.CA) -> None:
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"

    async def start_error() -> str:
        with pytest.raises(ConfigError) as refused:
            async with running_server(tls_cert=chain, tls_key=key):
                pass
        return str(refused.value)

    assert await start_error() == f"smtp.tls_cert = {chain}: cannot be read: No such file or directory"
    chain.write_text("no certificate")
    assert await start_error() == f"smtp.tls_key = {key}: cannot be read: No such file or directory"
    key.write_text("no key")
    assert (await start_error()).startswith(f"smtp.tls_cert = {chain}: must be a PEM certificate")
    write_certificate(ca, tmp_path)
    right = key.read_bytes()
    write_certificate(ca, tmp_path)
    key.write_bytes(right)
    assert (await start_error()).endswith("KEY_VALUES_MISMATCH")


def test_encrypted_key_is_rejected_without_a_prompt(tmp_path: Path, ca: trustme.CA) -> None:
    """By default, OpenSSL would prompt for the passphrase on the terminal of the process."""
    chain, key = write_certificate(ca, tmp_path)
    private_key = serialization.load_pem_private_key(key.read_bytes(), None)
    encryption = serialization.BestAvailableEncryption(b"password")
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    key.write_bytes(private_key.private_bytes(*form))
    program = "import sys, pathlib, smtp.tls; smtp.tls.TlsFiles(*map(pathlib.Path, sys.argv[1:]))"
    terminal, child_terminal = pty.openpty()
    arguments = [sys.executable, "-c", program, str(chain), str(key)]
    # OpenSSL must not use the terminal of the tests.
    with subprocess.Popen(
        arguments, stdin=child_terminal, stdout=child_terminal, stderr=child_terminal, start_new_session=True
    ) as process:
        os.close(child_terminal)
        output = b""
        with contextlib.suppress(OSError):  # Linux raises OSError after the process has closed the terminal
            while b"pass phrase" not in output and (data := os.read(terminal, 4096)):
                output += data
        process.kill()
    os.close(terminal)
    assert b"pass phrase" not in output
    assert b"without a password" in output
