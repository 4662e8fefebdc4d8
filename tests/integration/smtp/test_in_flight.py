"""All connections share the memory for messages: when it is used up, reading pauses, and later the reply is 452."""

import asyncio

from smtp.bounds import Bounds
from tests.integration.smtp.test_deadlines import start_data
from tests.support.smtp import RawSmtp, send_mail
from tests.support.smtp_doubles import running_server
from tests.support.waiting import wait_until

LIMIT = 1_000_000


async def test_reading_waits_for_memory() -> None:
    async with running_server(max_bytes_in_flight=LIMIT, max_message_bytes=LIMIT) as server:
        server.mails.gate = asyncio.Event()
        first = await start_data(server)
        await first.send_bytes(b"a" * (LIMIT - 2) + b"\r\n.\r\n")
        await server.mails.accept_started.wait()
        second = await start_data(server)
        mail = b"b" * (LIMIT // 2) + b"\r\n"
        sending = asyncio.ensure_future(second.send_bytes(mail + b".\r\n"))
        memory = server.memory
        await wait_until(lambda: memory.waiting_mails == 1, "the second one waits")
        assert memory.reserved_bytes <= LIMIT + Bounds.read_bytes
        server.mails.gate.set()
        assert (await first.read_reply()).code == 250
        await sending
        assert (await second.read_reply()).code == 250
        assert server.mails.contents[1] == mail
        assert memory.is_unused
        await first.close()
        await second.close()


async def test_small_mail_never_waits() -> None:
    async with running_server(max_bytes_in_flight=LIMIT, max_message_bytes=LIMIT) as server:
        first, large = await start_data(server), await start_data(server)
        await first.send_bytes(b"a" * (LIMIT // 2))
        await wait_until(lambda: server.memory.reserved_bytes == LIMIT // 2, "the first has half of the memory")
        await large.send_bytes(b"a" * LIMIT)
        await wait_until(lambda: server.memory.waiting_mails == 1, "the second waits")
        content = b"b" * 60_000 + b"\r\n"
        reply = await send_mail(server.host, server.port, "a@client.test", ["support@example.com"], content)
        assert reply.code == 250
        assert server.mails.contents == [content]
        await large.abort()
        await first.abort()


async def test_one_address_may_use_half_of_the_memory() -> None:
    async with running_server(max_bytes_in_flight=LIMIT, max_message_bytes=LIMIT // 4) as server:
        memory = server.memory
        server.mails.gate = gate = asyncio.Event()
        greedy = [await start_data(server) for _ in range(3)]
        await greedy[0].send_bytes(b"a" * (LIMIT // 5) + b"\r\n.\r\n")
        await server.mails.accept_started.wait()
        server.mails.gate = None
        for client in greedy[1:]:
            await client.send_bytes(b"a" * (LIMIT // 5))
        await wait_until(lambda: memory.waiting_mails == 2, "all incomplete mails of the address wait")
        assert LIMIT // 2 <= memory.reserved_bytes < LIMIT
        large = b"b" * (LIMIT // 5) + b"\r\n"
        for content, address in ((large, "127.0.0.2"), (b"small\r\n", "127.0.0.1")):
            reply = await send_mail(
                server.host,
                server.port,
                "a@client.test",
                ["support@example.com"],
                content,
                local_addr=(address, 0),
                timeout=5,
            )
            assert reply.code == 250
            assert server.mails.contents[-1] == content
        assert memory.waiting_mails == 2
        gate.set()
        await greedy[0].expect(250)
        for client in greedy[1:]:
            await client.send_bytes(b"\r\n.\r\n")
            await client.expect(250)
        for client in greedy:
            await client.close()
        assert memory.is_unused


async def test_address_past_its_half_is_rejected_after_the_timeout() -> None:
    async with running_server(
        bounds={"memory_timeout": 0.1}, max_bytes_in_flight=LIMIT, max_message_bytes=LIMIT // 2, data_timeout="400ms"
    ) as server:
        server.mails.gate = asyncio.Event()
        first = await start_data(server)
        await first.send_bytes(b"a" * (LIMIT // 2 - 2) + b"\r\n.\r\n")
        await server.mails.accept_started.wait()
        second = await start_data(server)
        await second.send_bytes(b"b" * (LIMIT // 4) + b"\r\n.\r\n")
        assert str(await second.read_reply()).startswith("452 4.3.1")
        server.mails.gate.set()
        assert (await first.read_reply()).code == 250
        await first.close()
        await second.close()


async def test_unfinished_chunks_do_not_keep_the_memory() -> None:
    async with running_server(
        bounds={"memory_timeout": 0.1}, max_bytes_in_flight=LIMIT, max_message_bytes=LIMIT // 2, data_timeout="400ms"
    ) as server:
        memory = server.memory
        hoarders = []
        for address in ("127.0.0.2", "127.0.0.3"):
            client = await RawSmtp.connect(server.host, server.port, local_addr=(address, 0))
            await client.command("EHLO client.test", 250)
            await client.command("MAIL FROM:<a@client.test>", 250)
            await client.command("RCPT TO:<support@example.com>", 250)
            size = LIMIT // 2 - 1000
            await client.send_bytes(b"BDAT %d\r\n" % size + b"h" * size)
            await client.expect(250)
            hoarders.append(client)
        first, second = hoarders
        large = b"b" * (LIMIT // 3) + b"\r\n"
        async with await start_data(server) as good:
            await good.send_bytes(large + b".\r\n")
            assert (await good.read_reply()).code == 250
        await second.send_line("BDAT 0 LAST")
        assert str(await second.read_reply()).startswith("452 4.3.1")
        await first.send_line("BDAT 0 LAST")
        assert (await first.read_reply()).code == 250
        assert server.mails.contents[-1] == b"h" * (LIMIT // 2 - 1000)
        assert memory.is_unused
        await first.close()
        await second.close()


async def test_abandoned_chunk_releases_its_memory() -> None:
    async with running_server(
        bounds={"memory_timeout": 60.0}, max_bytes_in_flight=LIMIT, max_message_bytes=LIMIT // 2
    ) as server:
        memory = server.memory
        for leave in (lambda client: client.command("RSET", 250), RawSmtp.abort, RawSmtp.quit):
            client = await RawSmtp.connect(server.host, server.port)
            await client.command("EHLO client.test", 250)
            await client.command("MAIL FROM:<a@client.test>", 250)
            await client.command("RCPT TO:<support@example.com>", 250)
            await client.send_bytes(b"BDAT 300000\r\n" + b"h" * 300_000)
            await client.expect(250)
            assert (memory.reserved_bytes, memory.large_mails) == (300_000, 1)
            await leave(client)
            await wait_until(lambda: memory.is_unused, "all memory is released")
            await client.close()


async def test_trusted_address_may_use_all_of_the_memory() -> None:
    async with running_server(
        max_bytes_in_flight=LIMIT, max_message_bytes=LIMIT // 2, trusted_networks=["127.0.0.0/8"]
    ) as server:
        memory = server.memory
        clients = [await start_data(server) for _ in range(3)]
        for client in clients:
            await client.send_bytes(b"a" * (LIMIT // 5))
        await wait_until(lambda: memory.reserved_bytes == 3 * (LIMIT // 5), "all is read")
        assert memory.waiting_mails == 0
        for client in clients:
            await client.abort()


async def test_mail_that_waited_too_long_is_rejected() -> None:
    async with running_server(
        bounds={"memory_timeout": 0.1}, max_bytes_in_flight=LIMIT, max_message_bytes=LIMIT, data_timeout="400ms"
    ) as server:
        server.mails.gate = asyncio.Event()
        first = await start_data(server)
        await first.send_bytes(b"a" * (LIMIT - 2) + b"\r\n.\r\n")
        await server.mails.accept_started.wait()
        second = await start_data(server)
        await second.send_bytes(b"b" * (LIMIT - 2) + b"\r\n.\r\n")
        reply = await second.read_reply()
        assert (reply.code, reply.enhanced) == (452, "4.3.1")
        server.mails.gate.set()
        assert (await first.read_reply()).code == 250
        await second.command("MAIL FROM:<a@client.test>", 250)
        await second.command("RCPT TO:<support@example.com>", 250)
        assert (await second.data(b"retry\r\n")).code == 250
        await first.close()
        await second.close()


async def test_disconnected_client_releases_its_memory() -> None:
    async with running_server(max_bytes_in_flight=LIMIT, max_message_bytes=LIMIT) as server:
        memory = server.memory
        for leave in (RawSmtp.abort, RawSmtp.close):
            client = await start_data(server)
            await client.send_bytes(b"a" * 300_000)
            await wait_until(lambda: memory.reserved_bytes > 0, "the bytes are counted")
            await leave(client)
            await wait_until(lambda: memory.reserved_bytes == 0, "the bytes are released")
        client = await RawSmtp.connect(server.host, server.port)
        await client.command("EHLO client.test", 250)
        await client.command("MAIL FROM:<a@client.test>", 250)
        await client.command("RCPT TO:<support@example.com>", 250)
        await client.send_bytes(b"BDAT 1000\r\n" + b"x" * 1000)
        assert (await client.read_reply()).code == 250
        assert memory.reserved_bytes == 1000
        await client.command("RSET", 250)
        assert memory.reserved_bytes == 0
        await client.close()


async def test_too_large_mail_blocks_no_other() -> None:
    async with running_server(max_message_bytes=100_000) as server:
        memory = server.memory
        async with await start_data(server) as client:
            await client.send_bytes(b"a" * 90_000)
            await wait_until(lambda: memory.reserved_bytes == 90_000, "90,000 bytes are received")
            await client.send_bytes(b"a" * 20_000 + b"\r\n.\r\n")
            assert (await client.read_reply()).code == 552
            assert memory.is_unused


async def test_discarded_mail_is_no_longer_the_oldest() -> None:
    """No memory is set aside for a discarded message."""
    async with running_server(max_message_bytes=LIMIT // 2, max_bytes_in_flight=LIMIT) as server:
        memory = server.memory
        async with await start_data(server) as client, await start_data(server) as second:
            await client.send_bytes(b"a" * 200_000)
            await wait_until(lambda: memory.reserved_bytes == 200_000, "the first message is received")
            assert memory.available_bytes == LIMIT - 200_000 - (LIMIT // 2 - 200_000)
            await second.send_bytes(b"a" * 300_000)
            await wait_until(lambda: memory.reserved_bytes == 500_000, "the second is received")
            await client.send_bytes(b"a" * (LIMIT // 2))
            await wait_until(lambda: memory.reserved_bytes == 300_000, "the first is discarded")
            assert memory.large_mails == 1
            await second.send_bytes(b"\r\n.\r\n")
            await second.expect(250)
            await client.send_bytes(b"\r\n.\r\n")
            await client.expect(552)


async def test_endless_mail_is_cut_off() -> None:
    async with running_server(bounds={"max_discarded_bytes": 100_000}, max_message_bytes=1000) as server:
        client = await start_data(server)
        sending = asyncio.ensure_future(client.send_bytes(b"a" * 10_000_000))
        assert str(await client.read_reply()).startswith("552 5.3.4")
        await asyncio.wait([sending])
        assert not sending.cancelled()
        sending.exception()
        await client.close()
        reply = await send_mail(server.host, server.port, "a@client.test", ["support@example.com"], b"x" * 1002)
        assert (reply.code, reply.enhanced) == (552, "5.3.4")


async def test_endless_command_line_is_cut_off() -> None:
    async with running_server() as server, await RawSmtp.connect(server.host, server.port) as client:
        sending = asyncio.ensure_future(client.send_bytes(b"A" * 3_000_000))
        assert str(await client.read_reply()).startswith("421 4.7.0")
        await asyncio.wait([sending])
        sending.exception()
