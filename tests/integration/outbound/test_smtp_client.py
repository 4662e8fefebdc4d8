"""The SMTP client of test messages, against servers that behave in every way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network

import pytest

from router.outbound.smtp_client import SmtpClient, SmtpRejected, SmtpServerAddress, SmtpUnreachable

GREETING = "220 mx1.host.test ESMTP Email Router"
EHLO = "250-mx1.host.test\r\n250 SIZE 1000"


class ScriptedServer:
    """Sends the greeting, then one reply for each command and for the content; then reads until the client is gone."""

    def __init__(self, *replies: str) -> None:
        self.replies = list(replies)
        self.received = b""
        self.is_done = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for n, reply in enumerate(self.replies):
            if n:
                ends = b"\r\n.\r\n" if self.replies[n - 1].startswith("354") else b"\r\n"
                self.received += await reader.readuntil(ends)
            writer.write(reply.encode() + b"\r\n")
        self.received += await reader.read()
        writer.close()
        self.is_done.set()

    @asynccontextmanager
    async def run(self) -> AsyncIterator[SmtpServerAddress]:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        async with server:
            yield SmtpServerAddress("127.0.0.1", server.sockets[0].getsockname()[1])
            async with asyncio.timeout(10):
                await self.is_done.wait()


async def send(server: ScriptedServer, *, recipient: str = "a@b.test", networks: tuple[str, ...] = ()) -> str:
    client = SmtpClient(
        helo="client.test",
        greeting="ESMTP Email Router",
        proxy_networks=[ip_network(network) for network in networks],
        seconds=5,
    )
    async with server.run() as address:
        result = await asyncio.gather(
            client.send(address, reverse_path="c@d.test", recipient=recipient, content=b"A: b\r\n\r\n.c\r\n"),
            return_exceptions=True,
        )
    if isinstance(result[0], BaseException):
        raise result[0]
    return result[0]


async def test_a_message_is_sent() -> None:
    server = ScriptedServer(GREETING, EHLO, "250 ok", "250 ok", "354 go", "250 2.0.0 Ok: queued as msg_1")
    assert await send(server, recipient="größe@b.test", networks=("127.0.0.0/8",)) == "2.0.0 Ok: queued as msg_1"
    assert server.received.decode() == (
        "PROXY UNKNOWN\r\nEHLO client.test\r\nMAIL FROM:<c@d.test> BODY=8BITMIME SMTPUTF8\r\n"
        "RCPT TO:<größe@b.test>\r\nDATA\r\nA: b\r\n\r\n..c\r\n.\r\nQUIT\r\n"
    )


@pytest.mark.parametrize(
    ("replies", "reason"),
    [
        (["220 mail.test ESMTP Postfix"], "another mail server answers there: mail.test ESMTP Postfix"),
        (["421 4.3.2 Service\x1bnot available"], "it replied 421 4.3.2 Service not available"),
        (["SSH-2.0-OpenSSH"], "it is not an SMTP server"),
        (["x" * 5000], "it is not an SMTP server"),
    ],
)
async def test_nothing_is_sent_to_another_server(replies: list[str], reason: str) -> None:
    server = ScriptedServer(*replies)
    with pytest.raises(SmtpUnreachable) as unreachable:
        await send(server)
    assert (unreachable.value.reason, server.received) == (reason, b"")


async def test_no_server_answers() -> None:
    with pytest.raises(SmtpUnreachable) as refused:
        await SmtpClient(helo="client.test", greeting="").send(
            SmtpServerAddress("127.0.0.1", 9), reverse_path="", recipient="a@b.test", content=b""
        )
    assert "refused" in refused.value.reason.lower() or "connect" in refused.value.reason.lower()


@pytest.mark.parametrize(
    ("replies", "reason"),
    [
        ([EHLO, "550 5.7.1 Blocked"], "it replied 550 5.7.1 Blocked to MAIL"),
        ([EHLO, "250 ok", "450 4.7.1 Later"], "it replied 450 4.7.1 Later to RCPT"),
        ([EHLO, "250 ok", "250 ok", "354 go", "452 4.3.1 Full"], "it replied 452 4.3.1 Full to the end of the message"),
        ([EHLO, "\r\n".join(["250-x"] * 200)], "it is not an SMTP server"),
    ],
)
async def test_a_rejection_names_the_command(replies: list[str], reason: str) -> None:
    with pytest.raises(SmtpRejected) as rejected:
        await send(ScriptedServer(GREETING, *replies))
    assert rejected.value.reason == reason


async def test_a_silent_server_is_left_after_the_time_limit() -> None:
    server = ScriptedServer(GREETING, EHLO)
    async with server.run() as address:
        client = SmtpClient(helo="client.test", greeting="Email Router", seconds=0.2)
        with pytest.raises(SmtpRejected, match=r"no reply within 0\.2 s"):
            await client.send(address, reverse_path="", recipient="a@b.test", content=b"")
