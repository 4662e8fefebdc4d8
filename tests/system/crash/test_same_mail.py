"""A message that is sent again, because the sender did not receive the 250, makes no second ticket.

The Message-ID alone does not identify a repeat, because the sender chooses it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support import mails
from tests.support.postgres import PostgresServer
from tests.support.smtp import RawSmtp, send_mail
from tests.system.crash.system_under_test import DOMAIN, SystemUnderTest, system_under_test

DAY = 24 * 3600
A, B = f"team0@{DOMAIN}", f"team1@{DOMAIN}"


class RepeatingClient:
    """Sends messages to the only server of a system."""

    def __init__(self, system: SystemUnderTest) -> None:
        self.system = system

    async def send(self, content: bytes, *recipients: str, reverse_path: str = "ada@customer.test") -> str:
        """Sends a message. Returns the message ID in the 250 reply."""
        ((host, port),) = self.system.smtp_addresses()
        reply = await send_mail(host, port, reverse_path, recipients or (A,), content)
        assert reply.code == 250, reply
        return reply.text.rpartition(" ")[2]

    async def tickets(self) -> int:
        return await self.system.database.fetch_number("SELECT count(*) FROM tickets")


@asynccontextmanager
async def running_client(
    kind: str, folder: Path, server: Callable[[], PostgresServer]
) -> AsyncIterator[RepeatingClient]:
    async with system_under_test(kind, folder, server, aliases=2) as system:
        await system.start("serve", options=system.clock_options)
        yield RepeatingClient(system)


async def test_a_repeated_message(kind: str, server: Callable[[], PostgresServer], tmp_path: Path) -> None:
    async with running_client(kind, tmp_path, server) as client:
        content = mails.plain(message_id="<1@customer.test>")
        first = await client.send(content)
        assert await client.send(content) == first
        assert set(await asyncio.gather(*(client.send(content) for _ in range(5)))) == {first}
        assert await client.send(content, f"TEAM0@{DOMAIN}") == first, "one alias, whatever its spelling"
        assert await client.send(content, f"team0+tag@{DOMAIN}") == first
        assert await client.tickets() == 1
        assert await client.send(content, reverse_path="eve@customer.test") != first
        assert await client.send(content.replace(b"Subject: ", b"Subject: Re ")) != first
        assert await client.tickets() == 3


async def test_a_retry_for_one_of_two_aliases(kind: str, server: Callable[[], PostgresServer], tmp_path: Path) -> None:
    async with running_client(kind, tmp_path, server) as client:
        both = mails.plain(message_id="<1@customer.test>")
        first = await client.send(both, A, B)
        assert await client.tickets() == 2
        assert await client.send(both, B) == first
        assert await client.tickets() == 2
        one = mails.plain(message_id="<2@customer.test>")
        alone = await client.send(one, A)
        assert await client.send(one, A, B) != alone, "the message is new for B"
        assert await client.tickets() == 4
        assert await client.send(one, A) == alone
        assert await client.tickets() == 4


async def test_a_device_that_sends_the_same_bytes_every_day(
    kind: str, server: Callable[[], PostgresServer], tmp_path: Path
) -> None:
    """Without Message-ID and Date, a message is never a repeat."""
    async with running_client(kind, tmp_path, server) as client:
        bare = b"From: printer@device.test\r\nSubject: Toner low\r\n\r\nToner low\r\n"
        for day in range(3):
            client.system.set_clock(day * DAY)
            await client.send(bare)
        assert await client.tickets() == 3
        dated = b"Date: Tue, 01 Jan 2030 12:00:00 +0000\r\n" + bare
        first = await client.send(dated)
        client.system.set_clock(7 * DAY - 60)
        assert await client.send(dated) == first
        client.system.set_clock(7 * DAY + 60)
        assert await client.send(dated) != first, "the window begins with the first message and ends after five days"
        assert await client.tickets() == 5


async def test_repeats_by_bdat_and_after_a_kill(
    kind: str, server: Callable[[], PostgresServer], tmp_path: Path
) -> None:
    async with running_client(kind, tmp_path, server) as client:
        content = mails.plain(text=".a dot first\n..and two\n", message_id="<1@customer.test>")
        first = await client.send(content)
        await client.system.running[-1].kill()
        await client.system.start("serve")
        ((host, port),) = client.system.smtp_addresses()
        async with await RawSmtp.connect(host, port) as raw:
            await raw.command("EHLO client.test", 250)
            await raw.command("MAIL FROM:<ada@customer.test>", 250)
            await raw.command(f"RCPT TO:<{A}>", 250)
            await raw.send_bytes(b"BDAT %d LAST\r\n" % len(content) + content)
            assert (await raw.expect(250)).text.endswith(first)
        assert await client.tickets() == 1
