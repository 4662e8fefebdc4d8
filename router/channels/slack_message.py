"""Renders Slack messages as Block Kit payloads.

Every payload is within the limits below. It mentions no user or channel, links only to pages of this installation, and
shows no link previews. Message text cannot imitate the lines above it. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from router.channels import rich_text as rt
from router.channels.contract import DigestEntry, OperatorAlert, Payload, TestMessage, TicketNotification
from router.local_time import get_zone, zone_label
from router.model import Micros
from router.unicode_security import append_a_labels, deceptive_domain, safe_identifier
from router.unicode_text import is_visible

MAX_PAYLOAD_BYTES = 30_000
MAX_CHARACTERS = 10_000  # UTF-16 code units in all blocks
MAX_HEADER_LENGTH = 150
MAX_DIGEST_ENTRIES = 40
MAX_ALERT_LENGTH = 1500
_MAX_FALLBACK_LENGTH = 3000
_MAX_LINK_LENGTH = 600
_MAX_ATTACHMENTS = 10
_MAX_FILE_NAME_LENGTH = 100
_MAX_EXTENSION_LENGTH = 16
_MAX_NOTES = 5
_MAX_REPLY_TO = 3
NO_SUBJECT = "(no subject)"

_STATUS_LABELS = {"in_progress": "in progress"}
_AUTOMATIC_LABELS = {"auto-reply": "automatic reply", "list": "mailing list", "bulk": "bulk mail", "loop": "mail loop"}
_PLAIN_TEXT_OPTIONS: Payload = {
    "mrkdwn": False,
    "parse": "none",
    "link_names": False,
    "unfurl_links": False,
    "unfurl_media": False,
}


def render_ticket(notification: TicketNotification) -> Payload:
    for limit in (rt.MAX_TEXT, rt.MAX_TEXT // 2, 200):  # crafted text needs a lower limit
        payload = _render_ticket(notification, limit)
        if payload_size(payload) <= MAX_PAYLOAD_BYTES and count_characters(payload) <= MAX_CHARACTERS:
            break
    return payload


def render_plain_ticket(notification: TicketNotification) -> Payload:
    parts = [_headline(notification, 300), *(f"{label}: {value}" for label, value in _field_rows(notification))]
    quoted, _ = _message_text(notification, 1200)
    quoted = "\n".join([*(f"| {row}" for row in quoted.split("\n")), *_hidden_lines(notification)])
    attachments = [f"- {name}" for name in _attachment_lines(notification)]
    body = "\n".join(["\n".join(parts), "", quoted, *(["", "Attachments:", *attachments] if attachments else [])])
    link = _safe_link(notification.link)
    tail = f"\n\n<{link}>" if link else ""  # this link is the only markup that Slack parses
    return _PLAIN_TEXT_OPTIONS | {"text": rt.escape(body, _MAX_FALLBACK_LENGTH - rt.utf16_length(tail)) + tail}


def render_digest(entries: Sequence[DigestEntry]) -> Payload:
    """Renders one message that lists the entries, grouped by alias and otherwise in the given order."""
    if not 1 <= len(entries) <= MAX_DIGEST_ENTRIES:
        raise ValueError(f"a digest has 1 to {MAX_DIGEST_ENTRIES} entries, not {len(entries)}")
    for limit, with_links in (
        (80, True),
        (40, True),
        (20, False),
    ):  # crafted text or many long lines need a lower limit
        payload = _render_digest(entries, limit, with_links=with_links)
        if payload_size(payload) <= MAX_PAYLOAD_BYTES and count_characters(payload) <= MAX_CHARACTERS:
            break
    return payload


def render_test(notification: TestMessage) -> Payload:
    name = _shorten(notification.integration_name, 100) or "(no name)"
    fields = [
        ("Integration", name),
        ("Workspace", _shorten(notification.workspace_name, 100) or "(no name)"),
        ("Sent", _format_time(notification.sent_at, notification.timezone)),
    ]
    blocks = [
        rt.header_block("Test message from Email Router"),
        rt.rich_text_block(
            [rt.section_element([rt.text_element("This integration works. New tickets will appear here.")])]
        ),
        rt.rich_text_block([rt.section_element(list(rt.field_elements(fields)))]),
    ]
    text = f"Test message from Email Router: the integration {name} works."
    return _PLAIN_TEXT_OPTIONS | {"text": rt.escape(text, _MAX_FALLBACK_LENGTH), "blocks": blocks}


def render_alert(alert: OperatorAlert) -> Payload:
    text = _shorten(alert.text, MAX_ALERT_LENGTH)
    fields = [
        ("Workspace", _shorten(alert.workspace_name, 100) or "(no name)"),
        ("Time", _format_time(alert.raised_at, alert.timezone)),
    ]
    blocks = [
        rt.header_block(alert.title),
        rt.rich_text_block([rt.section_element([rt.text_element(text)])]),
        rt.rich_text_block([rt.section_element(list(rt.field_elements(fields)))]),
    ]
    return _PLAIN_TEXT_OPTIONS | {"text": rt.escape(f"{alert.title}: {text}", _MAX_FALLBACK_LENGTH), "blocks": blocks}


def payload_size(payload: Payload) -> int:
    """Returns the size of the serialised payload in bytes."""
    return len(json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8"))


def count_characters(value: object) -> int:
    """Counts the UTF-16 units of every text and URL under `blocks`."""
    if isinstance(value, dict):
        own = sum(rt.utf16_length(value[key]) for key in ("text", "url") if isinstance(value.get(key), str))
        return own * ("type" in value) + sum(count_characters(inner) for inner in value.values())
    return sum(count_characters(inner) for inner in value) if isinstance(value, list) else 0


def _render_ticket(notification: TicketNotification, limit: int) -> Payload:
    quoted, is_truncated = _message_text(notification, limit)
    blocks = [
        rt.header_block(_format_subject(notification.subject, MAX_HEADER_LENGTH)),
        rt.rich_text_block([rt.section_element(list(rt.field_elements(_field_rows(notification))))]),
        rt.rich_text_block(
            [
                rt.quote_element(quoted),
                *(rt.section_element([rt.text_element(line)]) for line in _hidden_lines(notification)),
            ]
        ),
    ]
    attachments = _attachment_lines(notification)
    if attachments:
        blocks.append(
            rt.rich_text_block(
                [
                    rt.section_element([rt.text_element("Attachments", bold=True)]),
                    rt.bullet_list([[rt.text_element(name)] for name in attachments]),
                ]
            )
        )
    link = _safe_link(notification.link)
    if link:
        action = "View full message in ticket" if is_truncated or notification.quoted_lines else "View ticket"
        blocks.append(
            rt.rich_text_block([rt.section_element([rt.link_element(link, f"{action} #{notification.number}")])])
        )
    return _PLAIN_TEXT_OPTIONS | {
        "text": rt.escape(_headline(notification, 500), _MAX_FALLBACK_LENGTH),
        "blocks": blocks,
    }


def _field_rows(notification: TicketNotification) -> list[tuple[str, str]]:
    status = _STATUS_LABELS.get(notification.status, notification.status)
    number = f"#{notification.number} ({status})"
    fields = [("From", _format_sender(notification))]
    if notification.reply_to:
        fields.append(("Reply-To", _format_reply_to(notification)))
    if notification.original_from:
        fields.append(
            ("Original sender", _format_mailbox(notification.original_from.name, notification.original_from.address))
        )
    fields += [
        ("To", _format_address(notification.address) or "(none)"),
        ("Reply to ticket" if notification.event == "replied" else "Ticket", number),
        ("Received", _format_time(notification.received_at, notification.timezone)),
    ]
    if notification.is_test:
        fields.append(("Test message", "sent to test this alias"))
    if notification.automatic:
        reason = _AUTOMATIC_LABELS.get(notification.automatic, notification.automatic)
        fields.append(("Automatic message", _shorten(reason, 100) or "yes"))
    if notification.failed_recipients:
        remaining = f" and {len(notification.failed_recipients) - _MAX_NOTES} more" * (
            len(notification.failed_recipients) > _MAX_NOTES
        )
        fields.append(("Not delivered to", ", ".join(_shorten_all(notification.failed_recipients)) + remaining))
    fields += [("Sender check", check) for check in _shorten_all(notification.checks)]
    fields += [("Note", warning) for warning in _shorten_all(notification.warnings)]
    return fields


def _shorten_all(lines: Sequence[str]) -> list[str]:
    return [short for line in lines[:_MAX_NOTES] if (short := _shorten(line, 150))]


def _message_text(notification: TicketNotification, limit: int) -> tuple[str, bool]:
    """Returns the text within `limit` UTF-16 units, and whether it is incomplete."""
    full_text = rt.normalize_text(notification.text)
    if not is_visible(full_text):
        return "(no text)", notification.truncated
    shown = rt.truncate(full_text, limit - 2)
    is_truncated = notification.truncated or shown != full_text
    if is_truncated and not shown.endswith(rt.ELLIPSIS):
        shown += f"\n{rt.ELLIPSIS}"
    return shown, is_truncated


def _hidden_lines(notification: TicketNotification) -> list[str]:
    count = notification.quoted_lines
    return [f"{count:,} line{'' if count == 1 else 's'} of quoted text or signature hidden"] if count else []


def _headline(notification: TicketNotification, limit: int) -> str:
    """Summarises the event in one line, for desktop and mobile notifications."""
    event_label = (
        f"New reply to ticket #{notification.number}"
        if notification.event == "replied"
        else f"New ticket #{notification.number}"
    )
    prefix = "Test: " if notification.is_test else "Automatic message: " if notification.automatic else ""
    return f"{prefix}{event_label} from {_format_sender(notification)}: {_format_subject(notification.subject, limit)}"


def _format_sender(notification: TicketNotification) -> str:
    return _format_mailbox(notification.from_name, notification.from_address)


def _format_reply_to(notification: TicketNotification) -> str:
    shown = [_format_mailbox(mailbox.name, mailbox.address) for mailbox in notification.reply_to[:_MAX_REPLY_TO]]
    remaining = len(notification.reply_to) - len(shown)
    return ", ".join([*shown, *([f"and {remaining} more"] if remaining else [])])


def _format_mailbox(name: str, address: str) -> str:
    """Formats name and address. The address is shown beside a name, because a name can imitate an address."""
    name, address = _shorten(name, 100), _format_address(address)
    labels = deceptive_domain(address)
    shown = f"{name} <{address}>" if name and address else address or name or "(unknown sender)"
    return f"{shown} ({labels})" if labels else shown


def _format_address(address: str, limit: int = 320) -> str:
    return _shorten(safe_identifier(address), limit)


def _format_subject(subject: str, limit: int) -> str:
    return _shorten(subject, limit) or NO_SUBJECT


def _shorten(text: str, limit: int) -> str:
    """Returns one line of at most `limit` UTF-16 units, or "" if no character is visible."""
    line = rt.normalize_line(text)
    return rt.truncate(line, limit) if is_visible(line) else ""


def _attachment_lines(notification: TicketNotification) -> list[str]:
    shown = [
        f"{_format_file_name(name) or '(no name)'} ({_format_size(size)})"
        for name, size in notification.attachments[:_MAX_ATTACHMENTS]
    ]
    remaining = len(notification.attachments) - len(shown)
    return [*shown, f"and {remaining} more"] if remaining else shown


def _format_file_name(name: str) -> str:
    """Shortens a long file name but keeps a short extension, which shows the file type."""
    stem, dot, extension = name.rpartition(".")
    if not stem or rt.utf16_length(extension) > _MAX_EXTENSION_LENGTH or rt.utf16_length(name) <= _MAX_FILE_NAME_LENGTH:
        return _shorten(name, _MAX_FILE_NAME_LENGTH)
    return _shorten(stem, _MAX_FILE_NAME_LENGTH - rt.utf16_length(dot + extension)) + rt.normalize_line(dot + extension)


def _format_size(size: int) -> str:
    if size < 1000:
        return f"{size} B"
    value = float(size)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.5 or unit == "GB":
            break
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"


def _format_time(timestamp: Micros, timezone: str) -> str:
    """Formats a time to the minute; `(unknown)` if `datetime` cannot represent it.

    `fromtimestamp` is not used, because it rejects distant times on some systems.
    """
    try:
        time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=timestamp)
        local = time.astimezone(get_zone(timezone))
        return f"{local:%Y-%m-%d %H:%M} {zone_label(local)}"
    except OverflowError:
        return "(unknown)"


def _safe_link(url: str | None) -> str:
    """Returns the URL, or "" if it is missing, too long, or contains characters that could end a link."""
    is_safe = (
        url and len(url) <= _MAX_LINK_LENGTH and url.isascii() and url.isprintable() and not set(url) & set(' <>|"')
    )
    return url or "" if is_safe else ""


def _render_digest(entries: Sequence[DigestEntry], limit: int, *, with_links: bool) -> Payload:
    groups: dict[str, list[DigestEntry]] = {}
    for entry in entries:
        groups.setdefault(_format_address(entry.address, limit) or "(none)", []).append(entry)
    parts: list[rt.Element] = []
    for address, members in groups.items():
        parts.append(rt.section_element([rt.text_element(f"{len(members)} for {address}", bold=True)]))
        parts.append(rt.bullet_list([_digest_item(entry, limit, with_links=with_links) for entry in members]))
    noun = "ticket updates" if len(entries) > 1 else "ticket update"
    title = f"{len(entries)} more {noun}"
    numbers = ", ".join(f"#{entry.number}" for entry in entries)
    summaries = [f"{len(members)} for {address}" for address, members in groups.items()]
    text = f"{title}: {'; '.join(summaries[:5])}{'; ...' if len(summaries) > 5 else ''} ({numbers})"
    return _PLAIN_TEXT_OPTIONS | {
        "text": rt.escape(text, _MAX_FALLBACK_LENGTH),
        "blocks": [rt.header_block(title), rt.rich_text_block(parts)],
    }


def _digest_item(entry: DigestEntry, limit: int, *, with_links: bool) -> list[rt.Element]:
    number, link = f"#{entry.number}", _safe_link(entry.link) if with_links else ""
    reply = "Reply: " if entry.event == "replied" else ""
    sender = append_a_labels(_format_address(entry.from_address, limit)) or "(unknown sender)"
    return [
        rt.link_element(link, number) if link else rt.text_element(number),
        rt.text_element(f" {reply}{_format_subject(entry.subject, limit)} \u2013 {sender}"),
    ]
