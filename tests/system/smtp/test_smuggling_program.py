"""SMTP smuggling through the real program creates no additional ticket.

`tests.integration.smtp.test_smuggling` tries many more sequences.
"""

from pathlib import Path

import pytest

from tests.support.installation import migrated_installation, split_address
from tests.support.process import Program
from tests.support.slack import SlackStandIn
from tests.support.smtp import RawSmtp
from tests.unit.smtp.test_data import reference

# A lenient server may accept these as the end of data.
ENDS = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r\n.\r",
    b"\r.\r\n",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
    b"\n.\r\r\n",
]


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_smuggled_mail_is_not_accepted(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, slack: SlackStandIn
) -> None:
    url: str | None = None
    if kind == "postgres":
        server = request.getfixturevalue("postgres_server")
        url = await server.create_database()
    async with (
        migrated_installation(tmp_path, slack, url) as installation,
        Program("serve", env=installation.settings, cwd=tmp_path) as program,
    ):
        host, port = split_address((await program.ready())["smtp"][0])
        sent = []
        async with await RawSmtp.connect(host, port) as client:
            await client.command("EHLO client.test", 250)
            for number, end in enumerate(ENDS):
                second = b"MAIL FROM:<forged@client.test>\r\nRCPT TO:<support@example.org>\r\nDATA\r\nforged\r\n"
                head = b"Message-ID: <%d@client.test>\r\nSubject: mail %d\r\n\r\ntext" % (number, number)
                stream = head + end + second + b".\r\n"
                await client.command("MAIL FROM:<a@client.test>", 250)
                await client.command("RCPT TO:<support@example.org>", 250)
                await client.command("DATA", 354)
                await client.send_bytes(stream)
                assert (await client.expect(250)).text.startswith("2.0.0 Ok: queued")
                expected = reference(stream)
                assert expected is not None
                sent.append(len(expected[0]))
            await client.quit()
        assert await installation.count_rows("tickets") == len(ENDS)
        sizes = [row["size"] for row in await installation.execute("SELECT size FROM messages")]
        assert sorted(sizes, key=str) == sorted(sent, key=str)
        assert await installation.count_rows("messages", "reverse_path <> 'a@client.test'") == 0
        assert await program.terminate() == 0
    if url is not None:
        await server.drop_database(url)
