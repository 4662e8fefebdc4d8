"""A lack of file descriptors ends only new connections, and the server recovers."""

import resource
from contextlib import AsyncExitStack
from pathlib import Path

from tests.support.installation import migrated_installation, split_address
from tests.support.process import Program
from tests.support.slack import SlackStandIn
from tests.support.smtp import ConnectionClosedError, RawSmtp, send_mail
from tests.support.waiting import wait_until

FREE = 8
MAIL = ("a@client.test", ["support@example.org"])


def count_descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def test_no_free_descriptors(tmp_path: Path, slack: SlackStandIn) -> None:
    async with (
        migrated_installation(tmp_path, slack) as installation,
        Program("smtp", env=installation.settings, cwd=tmp_path) as program,
        AsyncExitStack() as clients,
    ):
        host, port = split_address((await program.ready())["smtp"][0])
        # The first message may open files that stay open.
        assert (await send_mail(host, port, *MAIL, b"Subject: 1\r\n\r\nx\r\n")).code == 250
        _, hard = resource.prlimit(program.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(program.pid, resource.RLIMIT_NOFILE, (count_descriptors(program.pid) + FREE, hard))
        greeted = [await try_connect(clients, host, port, n) for n in range(4 * FREE)]
        assert greeted[0] is not None
        assert greeted[-1] is None
        client = greeted[0]
        await client.command("EHLO client.test", 250)
        await client.command("MAIL FROM:<a@client.test>", 250)
        await client.command("RCPT TO:<support@example.org>", 250)
        assert (await client.data(b"Subject: 2\r\n\r\nx\r\n")).code == 250
        full = count_descriptors(program.pid)
        await clients.aclose()
        await wait_until(lambda: count_descriptors(program.pid) <= full - FREE // 2, "descriptors are free again")
        assert (await send_mail(host, port, *MAIL, b"Subject: 3\r\n\r\nx\r\n")).code == 250
        assert await installation.count_rows("messages") == 3
        assert await program.terminate() == 0


async def try_connect(clients: AsyncExitStack, host: str, port: int, n: int) -> RawSmtp | None:
    try:
        client = await RawSmtp.connect(host, port, local_addr=(f"127.0.1.{n + 1}", 0))
    except (ConnectionClosedError, ConnectionError):
        return None
    return await clients.enter_async_context(client)
