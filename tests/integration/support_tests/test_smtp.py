"""The raw SMTP client and the dialogue runner, against simple servers in the test process."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from tests.support.dialog import DialogError, parse, run_dialog, unescape
from tests.support.smtp import (
    ConnectionClosedError,
    RawSmtp,
    dot_stuff,
    send_mail,
    send_mail_pipelined,
)

Play = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def playing(play: Play) -> AsyncIterator[int]:

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await play(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


class ReceivingServer:
    """A minimal mail server. `refuse` maps the start of a command to a reply."""

    def __init__(self, refuse: dict[str, str] | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.mails: list[bytes] = []
        self.lines: list[str] = []
        self.peers: list[str] = []
        self._refuse = refuse or {}
        self._tls = tls

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.peers.append(writer.get_extra_info("peername")[0])
        writer.write(b"220 mx.test ESMTP\r\n")
        while raw := await reader.readline():
            line = raw.decode().rstrip("\r\n")
            self.lines.append(line)
            refusal = next((reply for verb, reply in self._refuse.items() if line.startswith(verb)), None)
            if refusal is not None:
                writer.write(f"{refusal}\r\n".encode())
            elif line.startswith("EHLO"):
                writer.write(b"250-mx.test\r\n250-PIPELINING\r\n250 SIZE 1000\r\n")
            elif line == "STARTTLS" and self._tls is not None:
                writer.write(b"220 2.0.0 Ready\r\n")
                await writer.start_tls(self._tls)
            elif line == "DATA":
                writer.write(b"354 Go on\r\n")
                self.mails.append(await reader.readuntil(b"\r\n.\r\n"))
                writer.write(b"250 2.0.0 Ok: queued as msg_1\r\n")
            elif line == "QUIT":
                writer.write(b"221 2.0.0 Bye\r\n")
                return
            else:
                writer.write(b"250 2.1.0 Ok\r\n")


@pytest.fixture
async def mta() -> AsyncIterator[tuple[ReceivingServer, int]]:
    server = ReceivingServer()
    async with playing(server) as port:
        yield server, port


async def test_single_line_and_multiline_replies(mta: tuple[ReceivingServer, int]) -> None:
    async with await RawSmtp.connect("127.0.0.1", mta[1]) as client:
        assert (client.greeting.code, client.greeting.text) == (220, "mx.test ESMTP")
        reply = await client.command("EHLO x", 250)
        assert reply.lines == ("mx.test", "PIPELINING", "SIZE 1000")
        assert (reply.text, reply.enhanced) == ("mx.test\nPIPELINING\nSIZE 1000", "")
        assert (await client.command("NOOP")).enhanced == "2.1.0"
        await client.send_bytes(b"NOOP\r\n")
        with pytest.raises(AssertionError, match=r"(?s)expected 5, got 250 2\.1\.0 Ok.*C: EHLO x"):
            await client.expect(5)
        assert str(await client.quit()) == "221 2.0.0 Bye"


@pytest.mark.parametrize("said", [b"250 bare line feed\n", b"250-a\r\n550 b\r\n", b"hello\r\n", b"150 a\r\n"])
async def test_invalid_reply_fails(said: bytes) -> None:
    async def play(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)

    async with playing(play) as port:
        with pytest.raises(AssertionError, match=r"not a line|code changes"):
            await RawSmtp.connect("127.0.0.1", port)


async def test_timeout_and_close_are_distinguished() -> None:
    done = asyncio.Event()

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 a\r\n25")
        await reader.read()
        done.set()

    async with playing(play) as port:
        async with await RawSmtp.connect("127.0.0.1", port, timeout=0.05) as client:
            with pytest.raises(TimeoutError, match="nothing was received"):
                await client.read_reply()
            with pytest.raises(TimeoutError, match="not closed"):
                await client.read_to_eof()
            client.half_close()
            assert await client.read_to_eof() == b""
        assert done.is_set()
        async with await RawSmtp.connect("127.0.0.1", port) as client:
            client.half_close()
            with pytest.raises(ConnectionClosedError, match="closed after b'25'"):
                await client.read_reply()


async def test_connection_reset() -> None:
    seen: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 a\r\n")
        try:
            await reader.read()
        except ConnectionResetError:
            seen.set_result("reset")
        else:
            seen.set_result("end")

    async with playing(play) as port:
        client = await RawSmtp.connect("127.0.0.1", port)
        await client.abort()
        assert await asyncio.wait_for(seen, 5) == "reset"


def test_dots_are_stuffed_and_the_end_mark_is_sent_once() -> None:
    assert dot_stuff(b".a\r\n..\r\nb.\r\n.\r\n") == b"..a\r\n...\r\nb.\r\n..\r\n.\r\n"
    assert dot_stuff(b"a") == b"a\r\n.\r\n"
    assert dot_stuff(b"") == b".\r\n"
    assert dot_stuff(b"a\n.b\r.c\r\n") == b"a\n.b\r.c\r\n.\r\n"


@pytest.mark.parametrize("send", [send_mail, send_mail_pipelined])
async def test_send_mail(mta: tuple[ReceivingServer, int], send: Callable[..., Awaitable[object]]) -> None:
    server, port = mta
    reply = await send("127.0.0.1", port, "a@x.test", ["b@y.test", "c@y.test"], b".hello\r\n")
    assert str(reply) == "250 2.0.0 Ok: queued as msg_1"
    assert server.mails == [b"..hello\r\n.\r\n"]
    assert server.lines[1:4] == ["MAIL FROM:<a@x.test>", "RCPT TO:<b@y.test>", "RCPT TO:<c@y.test>"]


@pytest.mark.parametrize("send", [send_mail, send_mail_pipelined])
async def test_rejections_are_returned(send: Callable[..., Awaitable[object]]) -> None:
    nobody = {"RCPT TO:<b@": "550 5.1.1 No", "DATA": "503 5.5.1 No"}
    async with playing(ReceivingServer(nobody)) as port:
        assert str(await send("127.0.0.1", port, "a@x.test", ["b@y.test"], b"hi")) == "550 5.1.1 No"
    some = ReceivingServer({"RCPT TO:<b@": "550 5.1.1 No"})
    async with playing(some) as port:
        reply = await send("127.0.0.1", port, "a@x.test", ["b@y.test", "c@y.test"], b"hi")
        assert str(reply).startswith("250 ")


async def test_starttls_and_local_address() -> None:
    authority = trustme.CA()
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("mx.test").configure_cert(theirs)
    authority.configure_trust(ours)
    server = ReceivingServer(tls=theirs)
    async with playing(server) as port:
        async with await RawSmtp.connect("127.0.0.1", port, local_addr=("127.0.0.9", 0)) as client:
            assert (await client.starttls(ours, "mx.test")).code == 220
            assert (await client.command("EHLO x")).code == 250
            await client.quit()
        assert server.peers == ["127.0.0.9"]
        ours.check_hostname = False
        assert (await send_mail("127.0.0.1", port, "a@x.test", ["b@y.test"], b"hi", tls=ours)).code == 250


DIALOG = """\
# every verb but starttls
S: 220 ${host} *
C: EHLO client.test
S: 250-mx.test
S* 250

C<< NOOP ${x*3}\\r\\nNOOP\\x20\\\\\\r\\n
S: 250 *
S~ 250 (1|2)\\.1\\.0 .*
C: QUIT
S: 221 2.0.0 Bye
expect-close
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "a.dialog"
    path.write_text(text)
    return path


async def test_dialogue_is_played(mta: tuple[ReceivingServer, int], tmp_path: Path) -> None:
    await run_dialog(written(tmp_path, DIALOG), "127.0.0.1", mta[1], {"host": "mx.test"})
    assert mta[0].lines == ["EHLO client.test", "NOOP xxx", "NOOP \\", "QUIT"]


async def test_dialogue_over_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("mx.test").configure_cert(theirs)
    authority.configure_trust(ours)
    ours.check_hostname = False
    path = written(tmp_path, "S: 220 *\nC: STARTTLS\nS: 220 *\nstarttls\nC: NOOP\nS: 250 *\nclose\n")
    async with playing(ReceivingServer(tls=theirs)) as port:
        await run_dialog(path, "127.0.0.1", port, ssl_context=ours)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "S: 220 *\nC: NOOP\nS: 251 Ok\n",
            r"(?s)a\.dialog:3: S: 251 Ok\nexpected: 251 Ok\n +got: 250 2\.1\.0 Ok.*C: NOOP",
        ),
        ("S: 220\n", r"a\.dialog:1"),
        ("S~ 22\n", r"(?s)expected \(regex\): 22\n +got: 220"),
        ("S: 220 *\nC: EHLO x\nS* 550\n", r"(?s)expected: 550\n +got: 250 mx\.test"),
        ("S: 220 *\nC: NOOP\nC: QUIT\nS: 250*\nexpect-close\n", r"(?s)expected: the end\n +got: b'221"),
        ("S: 220 *\nC: QUIT\nS: 221*\nS: more\n", r"(?s)a\.dialog:4: S: more\nclosed after b''"),
        ("S: 220 *\nhalf-close\nS: more\n", "closed after"),
    ],
)
async def test_dialogue_failure_names_the_line(
    mta: tuple[ReceivingServer, int], tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(AssertionError, match=message):
        await run_dialog(written(tmp_path, text), "127.0.0.1", mta[1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("c: EHLO\n", "1: not a step"),
        ("#\nclose now\n", "2: close takes no text"),
        ("close\nC: x\n", "2: nothing can follow close"),
        ("C: ${unknown}\n", "1: undefined variable 'unknown'"),
    ],
)
def test_invalid_dialogue_file(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DialogError, match=message):
        parse(written(tmp_path, text), {})


def test_escapes() -> None:
    assert unescape(r"a\r\n\0\t\\\xfFé") == b"a\r\n\0\t\\\xff\xc3\xa9"
    with pytest.raises(DialogError, match="escape"):
        unescape(r"\q")
