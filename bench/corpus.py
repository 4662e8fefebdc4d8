"""Sends the messages of a directory through the program: `python -m bench.corpus DIR [DIR ...] [--quick]`.

Sends every `.eml` file (see `--pattern`) by SMTP to an alias of its own. Each accepted message must become one ticket
and one Slack post. Reports lost or rejected messages, payloads that Slack would reject, and slow deliveries. Exit code
1 if a message failed, deliveries are too slow, or the program logged an error.

In a file without any CRLF, each LF is sent as CRLF. Other files are sent unchanged.
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
from bench.installation import BenchInstallation, bench_installation, smtp_port
from bench.mtas import DOMAIN
from bench.processes import Child, end_on_sigterm, program_command, temporary_folder
from router.mail.parse import parse
from tests.support import seeds
from tests.support.slack import SlackStandIn
from tests.support.slack_rules import block_errors, rejection_reason
from tests.support.smtp import dot_stuff

_WEBHOOKS = 10
_QUICK_COUNT = 60
_TARGET_SECONDS = 0.250  # maximum 99th percentile of the time from the 250 reply to the Slack request
_EXPECTED_REJECTIONS = ("554 5.4.6", "552 5.3.4")
_ADDRESS = re.compile(rb"(alias\d+|support)@" + re.escape(DOMAIN.encode()))


@dataclass
class CorpusMessage:
    """One file and its results."""

    path: Path
    recipient: str
    content: bytes
    result: client.SmtpResult | None = None
    tickets: int = 0
    text: str = ""
    html: str = ""
    attachments: str = "[]"
    posted: float | None = None
    failures: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directories", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--pattern", default="*.eml", help="glob of the files to send (*.eml)")
    parser.add_argument("--quick", action="store_true", help=f"only the first {_QUICK_COUNT} messages")
    parser.add_argument("--concurrency", type=int, default=2)
    options = parser.parse_args()
    found = (path for folder in options.directories for path in folder.rglob(options.pattern))
    files = sorted(path for path in found if path.is_file())
    files = files[:_QUICK_COUNT] if options.quick else files
    if not files:
        parser.error("no messages found (see --pattern)")
    folder = temporary_folder()
    async with (
        SlackStandIn(keep=4 * len(files)) as slack,
        bench_installation("sqlite", folder, aliases=len(files), webhooks=_WEBHOOKS, webhook=slack.url) as installation,
    ):
        mails = [
            CorpusMessage(path, to, _read_as_sent(path)) for path, to in zip(files, installation.addresses, strict=True)
        ]
        with Child("serve", program_command("serve"), folder=folder, env=installation.env) as child:
            await _send_all(smtp_port(child.wait_ready()), mails, options.concurrency)
            await _wait_until_delivered(slack, sum(_is_accepted(mail) for mail in mails))
        log_problems = [event for event in child.events() if event.get("level") in ("warning", "error", "critical")]
        await _read_tickets(installation, mails)
        _check_posts(slack, mails)
        return _report(mails, log_problems)


def _read_as_sent(path: Path) -> bytes:
    content = path.read_bytes()
    return content if b"\r\n" in content else content.replace(b"\n", b"\r\n")


def _is_accepted(mail: CorpusMessage) -> bool:
    return mail.result is not None and mail.result.code == 250


async def _send_all(port: int, mails: list[CorpusMessage], concurrency: int) -> None:
    waiting = iter(mails)

    async def sender() -> None:
        for mail in waiting:
            mail.result = await client.send(port, mail.recipient, [dot_stuff(mail.content)])

    await asyncio.gather(*(sender() for _ in range(concurrency)))


async def _wait_until_delivered(slack: SlackStandIn, count: int) -> None:
    seen, since = len(slack.posts), time.monotonic()
    while seen < count and time.monotonic() - since < 10:
        await asyncio.sleep(0.1)
        if len(slack.posts) != seen:
            seen, since = len(slack.posts), time.monotonic()


async def _read_tickets(installation: BenchInstallation, mails: list[CorpusMessage]) -> None:
    by_address = {mail.recipient: mail for mail in mails}
    database = installation.database
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
            mail.warnings.append(f"warnings {row['warnings']}")
        if row["text"] is None:
            mail.failures.append("not parsed")


def _check_posts(slack: SlackStandIn, mails: list[CorpusMessage]) -> None:
    by_address = {mail.recipient.encode(): mail for mail in mails}
    for post in slack.posts:
        names = {found.group() for found in _ADDRESS.finditer(post.raw)}
        to = next((by_address[name] for name in names if name in by_address), None)
        if to is None:
            continue
        if to.posted is not None:
            to.failures.append("posted twice")
        to.posted = post.at
        payload = post.payload
        if not isinstance(payload, dict) or (word := rejection_reason(payload)):
            to.failures.append(f"payload: {word if isinstance(payload, dict) else 'no object'}")
            continue
        blocks = payload.get("blocks", [])
        to.failures += [f"payload: {fault}" for fault in block_errors(blocks)]
        for block in blocks:
            try:
                parsed = Block.parse(block)
                assert parsed is not None
                parsed.validate_json()
            except Exception as error:  # noqa: BLE001 - any error of slack-sdk's models is a finding about this message
                to.failures.append(f"slack-sdk: {error}")


def _assess(mail: CorpusMessage) -> None:
    answer = mail.result
    assert answer is not None
    if answer.code != 250:
        is_expected = answer.text.startswith(_EXPECTED_REJECTIONS)
        (mail.warnings if is_expected else mail.failures).append(f"not accepted: {answer.text}")
        return
    if mail.tickets != 1:
        mail.failures.append(f"{mail.tickets} tickets")
    if mail.posted is None:
        mail.failures.append("not posted")
    elif mail.posted - answer.replied_at > _TARGET_SECONDS:
        mail.warnings.append(f"{1000 * (mail.posted - answer.replied_at):.0f} ms from the 250 reply to Slack")
    if not mail.text.strip():
        if _stdlib_finds_text(mail.content):
            mail.warnings.append("NO TEXT, though the email package finds some")
        else:
            mail.warnings.append("no text: only attachments" if parse(mail.content).attachments else "no text in it")
    elif mail.text.count("\ufffd") > len(mail.text) / 10:
        mail.warnings.append("much of the text could not be decoded")


def _stdlib_finds_text(content: bytes) -> bool:
    """Whether Python's email package finds text outside of tags in a text part."""
    for part in email.message_from_bytes(content).walk():
        is_text = part.get_content_maintype() == "text" and part.get_content_disposition() != "attachment"
        payload = part.get_payload(decode=True) if is_text else None
        if isinstance(payload, bytes) and re.sub(rb"<[^>]*>", b"", payload).strip():
            return True
    return False


def _report(mails: list[CorpusMessage], log_problems: list[dict[str, object]]) -> int:
    for mail in mails:
        _assess(mail)
    accepted = [mail for mail in mails if _is_accepted(mail)]
    latencies = [m.posted - m.result.replied_at for m in accepted if m.posted is not None and m.result is not None]
    failed = [mail for mail in mails if mail.failures]
    doubtful = [mail for mail in mails if mail.warnings]
    levels = Counter(str(event["level"]) for event in log_problems)
    for title, listed in (("FAILED", failed), ("doubtful", doubtful)):
        for mail in listed:
            print(
                f"{title}: {mail.path.name}: {'; '.join(mail.failures if title == 'FAILED' else mail.warnings)[:300]}"
            )
    for event in log_problems[:20]:
        print(f"log: {str(event)[:400]}")
    with_text = sum(bool(mail.text.strip()) for mail in accepted)
    slow = client.percentile(latencies, 0.99) > _TARGET_SECONDS
    print(
        f"\n{len(mails)} mails: {len(accepted)} accepted, {sum(m.tickets == 1 for m in accepted)} with one ticket, "
        f"{with_text} with text, {sum(m.posted is not None for m in accepted)} at Slack; "
        f"{len(failed)} failed, {len(doubtful)} doubtful; log: {dict(levels) or 'no warnings, no errors'}\n"
        f"250 reply to Slack: {client.format_durations(latencies)}  [{'MISSED' if slow else 'met'}: p99 under 250 ms]"
    )
    return 1 if failed or slow or levels["error"] or levels["critical"] else 0


if __name__ == "__main__":
    end_on_sigterm()
    sys.exit(asyncio.run(main()))
