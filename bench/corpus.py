"""A directory of mails through the started program: `python -m bench.corpus DIR [DIR ...] [--quick]`.

Every `.eml` (another name: `--pattern`) below the directories is sent by SMTP to `emailrouter serve`, each to an alias
of its own, so that one ticket each is what has to come out; the Slack stand-in takes the messages. Reported: what was
not accepted, tickets, mails without a body, payloads that Slack (`slack_rules`) or slack-sdk's models would refuse,
errors in the log, the time from 250 to Slack, and a list of doubtful ones: no text (and whether Python's own email
package finds some), the parser's warnings, text that could not be decoded, slow ones. Exit 1 when a promise is broken.

A file whose lines end with LF alone is sent with CR LF, as a mail program that stores it so would send it; files that
mix them go as they are.
"""

from __future__ import annotations

import argparse
import asyncio
import email
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from slack_sdk.models.blocks import Block

from bench import client
from bench.installation import BenchInstallation, installed, smtp_port
from bench.mtas import DOMAIN
from bench.processes import Child, emailrouter, end_on_sigterm, temporary_folder
from router.mail.parse import parse
from tests.support import seeds
from tests.support.slack import SlackStandIn
from tests.support.slack_rules import faults, objection
from tests.support.smtp import dot_stuff

_WEBHOOKS = 10
_QUICK = 60
_TARGET = 0.250  # seconds, 99th percentile
# Refusals that are the door's promise and no fault: a mail loop, a mail that is too large.
_LAWFUL = ("554 5.4.6", "552 5.3.4")
_ADDRESS = re.compile(rb"(alias\d+|support)@" + re.escape(DOMAIN.encode()))


@dataclass
class Mail:
    """One file and what became of it."""

    path: Path
    recipient: str
    content: bytes
    answer: client.Answer | None = None
    tickets: int = 0
    text: str = ""
    html: str = ""
    attachments: str = "[]"
    posted: float | None = None
    wrong: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


async def main() -> int:
    """The command line; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directories", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--pattern", default="*.eml", help="which files are mails (*.eml)")
    parser.add_argument("--quick", action="store_true", help=f"the first {_QUICK} mails")
    parser.add_argument("--concurrency", type=int, default=2)
    options = parser.parse_args()
    found = (path for folder in options.directories for path in folder.rglob(options.pattern))
    files = sorted(path for path in found if path.is_file())
    files = files[:_QUICK] if options.quick else files
    if not files:
        parser.error("no mails there (see --pattern)")
    folder = temporary_folder()
    async with (
        SlackStandIn(keep=4 * len(files)) as slack,
        installed("sqlite", folder, aliases=len(files), webhooks=_WEBHOOKS, webhook=slack.url) as place,
    ):
        mails = [Mail(path, to, _as_sent(path)) for path, to in zip(files, place.addresses, strict=True)]
        with Child("serve", emailrouter("serve"), folder=folder, env=place.env) as child:
            await _send_all(smtp_port(child.ready()), mails, options.concurrency)
            await _delivered(slack, sum(_accepted(mail) for mail in mails))
        trouble = [event for event in child.events() if event.get("level") in ("warning", "error", "critical")]
        await _look_up(place, mails)
        _look_at_posts(slack, mails)
        return _report(mails, trouble)


def _as_sent(path: Path) -> bytes:
    content = path.read_bytes()
    return content if b"\r\n" in content else content.replace(b"\n", b"\r\n")


def _accepted(mail: Mail) -> bool:
    return mail.answer is not None and mail.answer.code == 250


async def _send_all(port: int, mails: list[Mail], concurrency: int) -> None:
    waiting = iter(mails)

    async def sender() -> None:
        for mail in waiting:
            mail.answer = await client.send(port, mail.recipient, [dot_stuff(mail.content)])

    await asyncio.gather(*(sender() for _ in range(concurrency)))


async def _delivered(slack: SlackStandIn, count: int) -> None:
    """Until all are there, or nothing has come for ten seconds."""
    seen, since = len(slack.posts), time.monotonic()
    while seen < count and time.monotonic() - since < 10:
        await asyncio.sleep(0.1)
        if len(slack.posts) != seen:
            seen, since = len(slack.posts), time.monotonic()


async def _look_up(place: BenchInstallation, mails: list[Mail]) -> None:
    """The tickets and texts, from the database."""
    by_address = {mail.recipient: mail for mail in mails}
    database = place.database
    await database.open()
    try:
        rows = await seeds.execute(
            database,
            "SELECT tm.recipient, c.text, c.html, c.attachments, c.warnings FROM ticket_messages tm "
            "LEFT JOIN message_contents c ON c.message_id = tm.message_id",
        )
    finally:
        await database.close()
    for row in rows:
        mail = by_address[str(row["recipient"])]
        mail.tickets += 1
        mail.text, mail.html = str(row["text"] or ""), str(row["html"] or "")
        mail.attachments = str(row["attachments"])
        if row["warnings"] not in (None, "[]"):
            mail.doubts.append(f"warnings {row['warnings']}")
        if row["text"] is None:
            mail.wrong.append("not parsed")


def _look_at_posts(slack: SlackStandIn, mails: list[Mail]) -> None:
    by_address = {mail.recipient.encode(): mail for mail in mails}
    for post in slack.posts:
        names = {found.group() for found in _ADDRESS.finditer(post.raw)}
        to = next((by_address[name] for name in names if name in by_address), None)
        if to is None:
            continue
        if to.posted is not None:
            to.wrong.append("posted twice")
        to.posted = post.at
        payload = post.payload
        if not isinstance(payload, dict) or (word := objection(payload)):
            to.wrong.append(f"payload: {word if isinstance(payload, dict) else 'no object'}")
            continue
        blocks = payload.get("blocks", [])
        to.wrong += [f"payload: {fault}" for fault in faults(blocks)]
        for block in blocks:
            try:
                parsed = Block.parse(block)
                assert parsed is not None
                parsed.validate_json()
            except Exception as error:  # noqa: BLE001 - whatever its models say is a finding about this mail
                to.wrong.append(f"slack-sdk: {error}")


def _judge(mail: Mail) -> None:
    """What is wrong with a mail, and what a person should look at."""
    answer = mail.answer
    assert answer is not None
    if answer.code != 250:
        lawful = answer.text.startswith(_LAWFUL)
        (mail.doubts if lawful else mail.wrong).append(f"not accepted: {answer.text}")
        return
    if mail.tickets != 1:
        mail.wrong.append(f"{mail.tickets} tickets")
    if mail.posted is None:
        mail.wrong.append("not posted")
    elif mail.posted - answer.at > _TARGET:
        mail.doubts.append(f"{1000 * (mail.posted - answer.at):.0f} ms from 250 to Slack")
    if not mail.text.strip():
        if _stdlib_finds_text(mail.content):
            mail.doubts.append("NO TEXT, though the email package finds some")
        else:
            mail.doubts.append("no text: only attachments" if parse(mail.content).attachments else "no text in it")
    elif mail.text.count("\ufffd") > len(mail.text) / 10:
        mail.doubts.append("much of the text could not be decoded")


def _stdlib_finds_text(content: bytes) -> bool:
    """A second opinion: whether any part that is meant to be read has something but white space."""
    for part in email.message_from_bytes(content).walk():
        is_text = part.get_content_maintype() == "text" and part.get_content_disposition() != "attachment"
        payload = part.get_payload(decode=True) if is_text else None
        if isinstance(payload, bytes) and re.sub(rb"<[^>]*>", b"", payload).strip():
            return True
    return False


def _report(mails: list[Mail], trouble: list[dict[str, object]]) -> int:
    for mail in mails:
        _judge(mail)
    accepted = [mail for mail in mails if _accepted(mail)]
    latencies = [m.posted - m.answer.at for m in accepted if m.posted is not None and m.answer is not None]
    wrong = [mail for mail in mails if mail.wrong]
    doubtful = [mail for mail in mails if mail.doubts]
    levels = Counter(str(event["level"]) for event in trouble)
    for title, these in (("WRONG", wrong), ("doubtful", doubtful)):
        for mail in these:
            print(f"{title}: {mail.path.name}: {'; '.join(mail.wrong if title == 'WRONG' else mail.doubts)[:300]}")
    for event in trouble[:20]:
        print(f"log: {str(event)[:400]}")
    with_text = sum(bool(mail.text.strip()) for mail in accepted)
    slow = client.percentile(latencies, 0.99) > _TARGET
    print(
        f"\n{len(mails)} mails: {len(accepted)} accepted, {sum(m.tickets == 1 for m in accepted)} with one ticket, "
        f"{with_text} with text, {sum(m.posted is not None for m in accepted)} at Slack; "
        f"{len(wrong)} wrong, {len(doubtful)} doubtful; log: {dict(levels) or 'no warnings, no errors'}\n"
        f"from 250 to Slack: {client.summary(latencies)}  [{'MISSED' if slow else 'met'}: p99 under 250 ms]"
    )
    return 1 if wrong or slow or levels["error"] or levels["critical"] else 0


if __name__ == "__main__":
    end_on_sigterm()
    sys.exit(asyncio.run(main()))
