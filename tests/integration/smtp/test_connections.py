"""Connection limits, trusted and blocked networks, and deceptive characters in the envelope."""

from contextlib import AsyncExitStack
from typing import Any

from tests.support.smtp import RawSmtp
from tests.support.smtp_doubles import running_server
from tests.support.waiting import wait_until


async def test_too_many_connections() -> None:
    async with running_server(max_connections=2) as server:
        clients = [await RawSmtp.connect(server.host, server.port) for _ in range(3)]
        assert [client.greeting.code for client in clients] == [220, 220, 421]
        assert clients[2].greeting.enhanced == "4.7.0"
        assert not await clients[2].read_to_eof()
        await clients[0].quit()
        await wait_until(lambda: server.server.connection_count == 1, "a connection is closed")
        async with await RawSmtp.connect(server.host, server.port) as late:
            assert late.greeting.code == 220
        for client in clients[1:]:
            await client.close()


async def test_too_many_connections_from_one_address() -> None:
    async with running_server(max_connections_per_ip=1) as server:
        async with await RawSmtp.connect(server.host, server.port, local_addr=("127.0.0.2", 0)):
            async with await RawSmtp.connect(server.host, server.port, local_addr=("127.0.0.2", 0)) as second:
                assert str(second.greeting).startswith("421 4.7.0")
            async with await RawSmtp.connect(server.host, server.port, local_addr=("127.0.0.3", 0)) as other:
                assert other.greeting.code == 220
        await wait_until(lambda: server.server.connection_count == 0, "all connections are closed")
        async with await RawSmtp.connect(server.host, server.port, local_addr=("127.0.0.2", 0)) as again:
            assert again.greeting.code == 220


async def test_trusted_networks_are_exempt_from_limits_per_address() -> None:
    settings: dict[str, Any] = {
        "max_connections_per_ip": 1,
        "max_mails_per_minute_per_ip": 1,
        "trusted_networks": ["127.0.0.0/8"],
    }
    async with running_server(**settings) as server, AsyncExitStack() as clients:
        for _ in range(3):
            client = await clients.enter_async_context(await RawSmtp.connect(server.host, server.port))
            await client.command("EHLO client.test", 250)
            for _ in range(2):
                await client.command("MAIL FROM:<a@client.test>", 250)
                await client.command("RSET", 250)
        assert server.server.connection_count == 3


async def test_blocked_network_is_rejected_at_mail() -> None:
    async with (
        running_server(blocked_senders=["127.0.0.0/8"]) as server,
        await RawSmtp.connect(server.host, server.port) as client,
    ):
        await client.command("EHLO client.test", 250)
        for sender in ("a@client.test", ""):
            assert (await client.command(f"MAIL FROM:<{sender}>", 550)).enhanced == "5.7.1"


async def test_envelope_contains_no_deceptive_characters() -> None:
    async with running_server() as server, await RawSmtp.connect(server.host, server.port) as client:
        await client.command("EHLO \u200f\u200b", 501)
        await client.command("EHLO \u202eclient.test\u2066", 250)
        await client.command("MAIL FROM:<e\u200dv\u200ba@client.test> SMTPUTF8", 250)
        await client.command("RCPT TO:<support@example.com>", 250)
        assert (await client.data(b"Subject: x\r\n\r\nx\r\n")).code == 250
        ((envelope, _),) = server.mails.mails
        assert (envelope.helo, envelope.reverse_path) == ("client.test", "eva@client.test")
