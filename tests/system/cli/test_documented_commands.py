"""The commands of pages in docs succeed, in order, on one running installation."""

import re
import shlex

from tests.support.dns import DnsStandIn
from tests.support.documents import read_blocks
from tests.support.installation.command_line import CommandLine
from tests.support.process import Program
from tests.support.slack import SlackStandIn

NUMBER = "42"  # of the ticket that commands of commands.md name
PAGES = ("quick-start.md", "slack-webhook.md", "discord.md", "commands.md")
DISCORD = "https://discord.com/api/webhooks/123456/abcdef"
# The walk of tests/system/debian runs these on a whole host, or tests of their own do.
RUN_ELSEWHERE = {"check", "config", "demo", "status"}


def commands(page: str) -> list[list[str]]:
    lines = [line for block in read_blocks(page) if block.language == "sh" for line in block.text.splitlines()]
    found = [words[1:] for line in lines if (words := shlex.split(line, comments=True))[:1] == ["emailrouter"]]
    return [words for words in found if words[0] not in RUN_ELSEWHERE]


def publish_records(dns: DnsStandIn, printed: str) -> None:
    """Sets the records that `domain add` prints in the form of a zone file."""
    for name, kind, value in re.findall(r"^\s*(\S+)\.\s+(?:\d+ IN )?(MX|TXT)\s+(.+)$", printed, re.MULTILINE):
        dns.set(name, kind, value.strip('"'))


async def test_documented_commands_succeed(cli: CommandLine, dns_server: DnsStandIn, slack: SlackStandIn) -> None:
    cli.env["dns.nameservers"] = [dns_server.address]
    async with Program("serve", env=cli.env, cwd=cli.folder) as program:
        cli.env["smtp.listen"] = (await program.ready())["smtp"]
        for words in (words for page in PAGES for words in commands(page)):
            arguments, stdin = ["1" if word == NUMBER else word for word in words], None
            if words[:2] == ["integration", "add"]:
                arguments += ["--webhook-url", "-"]  # without it, the command prompts on a terminal
                stdin = f"{DISCORD if 'discord' in words else slack.url(words[2])}\n"
            printed = (await cli(*arguments, stdin=stdin)).ok().stdout
            if words[:2] == ["domain", "add"]:
                publish_records(dns_server, printed)
        await slack.wait_for(5)  # three tests of integrations and two tickets
