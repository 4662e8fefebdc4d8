"""What a ticket looks like in Slack: Block Kit payloads as plain dicts (SPEC.md section 8).

For any notice whatever, a payload is within Slack's limits (150 a header, 3000 a text, 50 blocks), within ours for
the whole (`MAX_PAYLOAD` octets of JSON, `MAX_CHARACTERS` in all blocks: Slack refuses about 12,000 with
`msg_blocks_too_long`, which it documents nowhere), mentions nobody, links nowhere but to our own pages, and unfurls
nothing. The text of the mail stands in a quotation, so that it cannot imitate the lines above it.

Pure; called by `router.channels.slack` alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from router.channels import rich_text as rt
from router.channels.contract import DigestEntry, OperatorNotice, Payload, TestNotice, TicketNotice
from router.model import Micros
from router.unicode_security import deceptive_domain, shown_identifier, with_a_labels
from router.unicode_text import is_visible

MAX_PAYLOAD = 30_000  # octets
MAX_CHARACTERS = 10_000  # UTF-16 units in all blocks
MAX_HEADER = 150
MAX_DIGEST = 40  # entries of one digest
MAX_NOTICE = 1500
_MAX_FALLBACK = 3000
_MAX_LINK = 600
_MAX_FILES = 10
_MAX_FILE_NAME = 100  # units
_MAX_FILE_ENDING = 16
_MAX_NOTES = 5
_MAX_REPLY_TO = 3
NO_SUBJECT = "(no subject)"

_STATUS = {"in_progress": "in progress"}
# Never parse what looks like a name or a URL, never fetch what a link shows, no formatting in `text`.
_QUIET: Payload = {
    "mrkdwn": False,
    "parse": "none",
    "link_names": False,
    "unfurl_links": False,
    "unfurl_media": False,
}


def ticket(notice: TicketNotice) -> Payload:
    """The message for one ticket event."""
    for most in (rt.MAX_TEXT, rt.MAX_TEXT // 2, 200):  # only crafted text is so large in JSON that it takes a second
        payload = _ticket(notice, most)
        if size(payload) <= MAX_PAYLOAD:
            break
    return payload


def plain(notice: TicketNotice) -> Payload:
    """The same in `text` alone, with a lead line in place of the header and a bar before each line of the mail."""
    parts = [_lead(notice, 300), *(f"{label}: {value}" for label, value in _facts(notice))]
    words, _ = _words(notice, 1200)
    words = "\n".join([*(f"| {row}" for row in words.split("\n")), *_folded(notice)])
    files = [f"- {name}" for name in _files(notice)]
    said = "\n".join(["\n".join(parts), "", words, *(["", "Attachments:", *files] if files else [])])
    link = _link(notice.link)
    tail = f"\n\n<{link}>" if link else ""  # the one thing that Slack shall read: a link of our own making
    return _QUIET | {"text": rt.escaped(said, _MAX_FALLBACK - rt.units(tail)) + tail}


def digest(entries: Sequence[DigestEntry]) -> Payload:
    """One message that names each entry, under the alias it came to, in the order given."""
    if not 1 <= len(entries) <= MAX_DIGEST:
        raise ValueError(f"a digest has 1 to {MAX_DIGEST} entries, not {len(entries)}")
    for most, linked in ((80, True), (40, True), (20, False)):  # only crafted or very many long lines take the second
        payload = _digest(entries, most, linked=linked)
        if size(payload) <= MAX_PAYLOAD and characters(payload) <= MAX_CHARACTERS:
            break
    return payload


def test(notice: TestNotice) -> Payload:
    """The message that says a webhook works."""
    name = _short(notice.integration_name, 100) or "(no name)"
    facts = [
        ("Integration", name),
        ("Workspace", _short(notice.workspace_name, 100) or "(no name)"),
        ("Sent", _when(notice.at)),
    ]
    blocks = [
        rt.header("Test message from Email Router"),
        rt.rich([rt.section([rt.text("This integration works. New tickets will appear here.")])]),
        rt.rich([rt.section(list(rt.rows(facts)))]),
    ]
    text = f"Test message from Email Router: the integration {name} works."
    return _QUIET | {"text": rt.escaped(text, _MAX_FALLBACK), "blocks": blocks}


def notice(told: OperatorNotice) -> Payload:
    """Something about the installation, in words of ours that may quote a stranger's DNS."""
    text = _short(told.text, MAX_NOTICE)
    facts = [("Workspace", _short(told.workspace_name, 100) or "(no name)"), ("Time", _when(told.at))]
    blocks = [
        rt.header(told.title),
        rt.rich([rt.section([rt.text(text)])]),
        rt.rich([rt.section(list(rt.rows(facts)))]),
    ]
    return _QUIET | {"text": rt.escaped(f"{told.title}: {text}", _MAX_FALLBACK), "blocks": blocks}


def size(payload: Payload) -> int:
    """Octets of the payload as it is sent."""
    return len(json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8"))


def characters(value: object) -> int:
    """UTF-16 units of every text and URL under `blocks`, the way Slack seems to count a message's length."""
    if isinstance(value, dict):
        own = sum(rt.units(value[key]) for key in ("text", "url") if isinstance(value.get(key), str))
        return own * ("type" in value) + sum(characters(inner) for inner in value.values())
    return sum(characters(inner) for inner in value) if isinstance(value, list) else 0


def _ticket(notice: TicketNotice, most: int) -> Payload:
    words, missing = _words(notice, most)
    blocks = [
        rt.header(_subject(notice.subject, MAX_HEADER)),
        rt.rich([rt.section(list(rt.rows(_facts(notice))))]),
        rt.rich([rt.quote(words), *(rt.section([rt.text(line)]) for line in _folded(notice))]),
    ]
    files = _files(notice)
    if files:
        blocks.append(
            rt.rich(
                [
                    rt.section([rt.text("Attachments", bold=True)]),
                    rt.bullets([[rt.text(name)] for name in files]),
                ]
            )
        )
    link = _link(notice.link)
    if link:
        action = "View full message in ticket" if missing or notice.quoted_lines else "View ticket"
        blocks.append(rt.rich([rt.section([rt.link(link, f"{action} #{notice.number}")])]))
    return _QUIET | {"text": rt.escaped(_lead(notice, 500), _MAX_FALLBACK), "blocks": blocks}


def _facts(notice: TicketNotice) -> list[tuple[str, str]]:
    """The lines about the mail, (label, value); every value is a line that fits."""
    status = _STATUS.get(notice.status, notice.status)
    number = f"#{notice.number} ({status})"
    facts = [("From", _sender(notice))]
    if notice.reply_to:
        facts.append(("Reply-To", _reply_to(notice)))
    if notice.original_from:
        facts.append(("Original sender", _person(notice.original_from.name, notice.original_from.address)))
    facts += [
        ("To", _address(notice.address) or "(none)"),
        ("Reply to ticket" if notice.event == "replied" else "Ticket", number),
        ("Received", _when(notice.received_at)),
    ]
    if notice.is_test:
        facts.append(("Test message", "sent by the test of this alias"))
    if notice.automatic:
        facts.append(("Automatic message", _short(notice.automatic, 100) or "yes"))
    if notice.failed_recipients:
        more = f" and {len(notice.failed_recipients) - _MAX_NOTES} more" * (len(notice.failed_recipients) > _MAX_NOTES)
        facts.append(("Not delivered to", ", ".join(_notes(notice.failed_recipients)) + more))
    facts += [("Sender check", check) for check in _notes(notice.checks)]
    facts += [("Note", warning) for warning in _notes(notice.warnings)]
    return facts


def _notes(notes: Sequence[str]) -> list[str]:
    return [short for note in notes[:_MAX_NOTES] if (short := _short(note, 150))]


def _words(notice: TicketNotice, most: int) -> tuple[str, bool]:
    """The mail's text, and whether some of it is not there."""
    whole = rt.body(notice.text)
    if not is_visible(whole):
        return "(no text)", notice.truncated
    shown = rt.cut(whole, most - 2)
    missing = notice.truncated or shown != whole
    if missing and not shown.endswith(rt.ELLIPSIS):
        shown += f"\n{rt.ELLIPSIS}"
    return shown, missing


def _folded(notice: TicketNotice) -> list[str]:
    """How much of the mail was split off, in a line, if any."""
    count = notice.quoted_lines
    return [f"{count:,} line{'' if count == 1 else 's'} of quoted text or signature hidden"] if count else []


def _lead(notice: TicketNotice, most: int) -> str:
    """The whole event in one line: what a notification shows."""
    what = f"New reply to ticket #{notice.number}" if notice.event == "replied" else f"New ticket #{notice.number}"
    mark = "Test: " if notice.is_test else "Automatic message: " if notice.automatic else ""
    return f"{mark}{what} from {_sender(notice)}: {_subject(notice.subject, most)}"


def _sender(notice: TicketNotice) -> str:
    return _person(notice.from_name, notice.from_address)


def _reply_to(notice: TicketNotice) -> str:
    shown = [_person(mailbox.name, mailbox.address) for mailbox in notice.reply_to[:_MAX_REPLY_TO]]
    more = len(notice.reply_to) - len(shown)
    return ", ".join([*shown, *([f"and {more} more"] if more else [])])


def _person(name: str, address: str) -> str:
    """The name and, always, the address: a name can pretend to be any address."""
    name, address = _short(name, 100), _address(address)
    labels = deceptive_domain(address)
    shown = f"{name} <{address}>" if name and address else address or name or "(unknown sender)"
    return f"{shown} ({labels})" if labels else shown


def _address(address: str, most: int = 320) -> str:
    return _short(shown_identifier(address), most)


def _subject(subject: str, most: int) -> str:
    return _short(subject, most) or NO_SUBJECT


def _short(text: str, most: int) -> str:
    """One visible line of at most `most` units, "" when there is nothing to see."""
    flat = rt.line(text)
    return rt.cut(flat, most) if is_visible(flat) else ""


def _files(notice: TicketNotice) -> list[str]:
    """The attachments with their sizes, a line each; beyond the first ones only how many there are."""
    shown = [f"{_file_name(name) or '(no name)'} ({_octets(size)})" for name, size in notice.attachments[:_MAX_FILES]]
    more = len(notice.attachments) - len(shown)
    return [*shown, f"and {more} more"] if more else shown


def _file_name(name: str) -> str:
    """The name, cut before its ending, which says what the file is."""
    stem, dot, ending = name.rpartition(".")
    if not stem or rt.units(ending) > _MAX_FILE_ENDING or rt.units(name) <= _MAX_FILE_NAME:
        return _short(name, _MAX_FILE_NAME)
    return _short(stem, _MAX_FILE_NAME - rt.units(dot + ending)) + rt.line(dot + ending)


def _octets(number: int) -> str:
    """`640 B`, `1.2 kB`, `25 MB`: as file managers write it."""
    if number < 1000:
        return f"{number} B"
    amount = float(number)
    for unit in ("kB", "MB", "GB"):
        amount /= 1000
        if amount < 999.5 or unit == "GB":
            break
    return f"{amount:.1f} {unit}" if amount < 9.95 else f"{amount:.0f} {unit}"


def _when(at: Micros) -> str:
    """UTC to the minute. Exact for every time: `fromtimestamp` would refuse far ones on some systems."""
    try:
        return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at):%Y-%m-%d %H:%M} UTC"
    except OverflowError:
        return "(unknown)"


def _link(url: str | None) -> str:
    """The URL where it can stand in a link (it is made from `public_url`, which an administrator wrote)."""
    good = url and len(url) <= _MAX_LINK and url.isascii() and url.isprintable() and not set(url) & set(' <>|"')
    return url or "" if good else ""


def _digest(entries: Sequence[DigestEntry], most: int, *, linked: bool) -> Payload:
    """most: units of a subject, a sender and an alias."""
    groups: dict[str, list[DigestEntry]] = {}
    for entry in entries:
        groups.setdefault(_address(entry.address, most) or "(none)", []).append(entry)
    parts: list[rt.Element] = []
    for address, members in groups.items():
        parts.append(rt.section([rt.text(f"{len(members)} for {address}", bold=True)]))
        parts.append(rt.bullets([_entry(entry, most, linked=linked) for entry in members]))
    noun = "ticket updates" if len(entries) > 1 else "ticket update"
    title = f"{len(entries)} more {noun}"
    numbers = ", ".join(f"#{entry.number}" for entry in entries)
    named = [f"{len(members)} for {address}" for address, members in groups.items()]
    text = f"{title}: {'; '.join(named[:5])}{'; ...' if len(named) > 5 else ''} ({numbers})"
    return _QUIET | {"text": rt.escaped(text, _MAX_FALLBACK), "blocks": [rt.header(title), rt.rich(parts)]}


def _entry(entry: DigestEntry, most: int, *, linked: bool) -> list[rt.Element]:
    number, link = f"#{entry.number}", _link(entry.link) if linked else ""
    reply = "Reply: " if entry.event == "replied" else ""
    sender = with_a_labels(_address(entry.from_address, most)) or "(unknown sender)"
    return [
        rt.link(link, number) if link else rt.text(number),
        rt.text(f" {reply}{_subject(entry.subject, most)} \u2013 {sender}"),
    ]
