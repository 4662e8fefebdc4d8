"""The facts of a notification as plain text, in the order and wording that all channels share.

The texts are normalised and limited, but not escaped: a channel escapes them for the markup of its service. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from router.channels.contract import DigestEntry, OperatorAlert, TestMessage, TicketNotification
from router.channels.untrusted_text import (
    ELLIPSIS,
    NO_MARKUP,
    Markup,
    normalize_line,
    normalize_text,
    truncate,
    utf16_length,
)
from router.local_time import get_zone, zone_label
from router.model import Micros
from router.unicode_security import append_a_labels, deceptive_domain, safe_identifier
from router.unicode_text import is_visible

Row = tuple[str, str]  # label and value

WORKS = "This integration works. New tickets will appear here."
_MAX_LINK_LENGTH = 600
_MAX_WARNING_LENGTH = 400  # a sentence with a domain of 253 characters
_MAX_ATTACHMENTS = 10
_MAX_EXTENSION_LENGTH = 16
_MAX_NOTES = 5
_MAX_REPLY_TO = 3
_NO_SUBJECT = "(no subject)"
_WARNING = "\u26a0\ufe0f Warning:"  # the sign is an emoji; a word says the same
_RELEASED = "Released from spam: "

_DIGEST_MARKS = {"replied": "Reply: ", "reply_failed": "Answer not sent: ", "reply_bounced": "Answer bounced: "}
_AUTOMATIC_LABELS = {"auto-reply": "automatic reply", "list": "mailing list", "bulk": "bulk mail", "loop": "mail loop"}


def warning_line(notification: TicketNotification) -> str:
    """Returns the first line of a post, or "" without a warning. The warning can name a domain of the sender."""
    warning = shorten(notification.warning, _MAX_WARNING_LENGTH)
    return f"{_WARNING} {warning.removesuffix('.')}." if warning else ""


def sender_rows(notification: TicketNotification) -> list[Row]:
    rows = [("From", _format_sender(notification))]
    if notification.new_sender:
        rows.append(("New sender", "took no part in this conversation before"))
    if notification.reply_to:
        rows.append(("Reply-To", _format_reply_to(notification)))
    if notification.original_from:
        original_from = notification.original_from
        rows.append(("Original sender", _format_mailbox(original_from.name, original_from.address)))
    return rows


def detail_rows(notification: TicketNotification) -> list[Row]:
    """Returns the rows about the ticket's marks and the message itself: its time, and what makes it unusual."""
    rows = [
        *_limit_rows(notification.marks),
        ("Received", format_time(notification.received_at, notification.timezone)),
    ]
    if notification.is_test:
        rows.append(("Test message", "sent to test this alias"))
    if notification.automatic:
        reason = _AUTOMATIC_LABELS.get(notification.automatic, notification.automatic)
        rows.append(("Automatic message", shorten(reason, 100) or "yes"))
    if notification.failed_recipients:
        remaining = f" and {len(notification.failed_recipients) - _MAX_NOTES} more" * (
            len(notification.failed_recipients) > _MAX_NOTES
        )
        rows.append(("Not delivered to", ", ".join(_shorten_all(notification.failed_recipients)) + remaining))
    rows += [("Sender check", check) for check in _shorten_all(notification.checks)]
    rows += [("Note", warning) for warning in _shorten_all(notification.warnings)]
    return rows


def state_rows(notification: TicketNotification) -> list[Row]:
    return _limit_rows(notification.state)


def _limit_rows(rows: Sequence[Row]) -> list[Row]:
    return [(label, shorten(value, 100) or "(none)") for label, value in rows]


def test_rows(message: TestMessage) -> list[Row]:
    return [
        ("Integration", _format_name(message.integration_name)),
        ("Workspace", _format_name(message.workspace_name)),
        ("Sent", format_time(message.sent_at, message.timezone)),
    ]


ALERT_LINK_LABEL = "View in the dashboard"


def alert_rows(alert: OperatorAlert) -> list[Row]:
    return [
        ("Workspace", _format_name(alert.workspace_name)),
        ("Time", format_time(alert.raised_at, alert.timezone)),
    ]


def _shorten_all(lines: Sequence[str]) -> list[str]:
    return [short for line in lines[:_MAX_NOTES] if (short := shorten(line, 150))]


def message_text(notification: TicketNotification, limit: int, markup: Markup = NO_MARKUP) -> tuple[str, bool]:
    """Returns the escaped text within `limit` UTF-16 units, and whether it is incomplete."""
    full_text = markup.replace_pattern(normalize_text(notification.text))
    if not is_visible(full_text):
        return "(no text)", notification.truncated
    shown = truncate(full_text, limit - 2, markup.escapes)
    is_truncated = notification.truncated or shown != full_text
    if is_truncated and not shown.endswith(ELLIPSIS):
        shown += f"\n{ELLIPSIS}"
    return markup.escape_characters(shown), is_truncated


def hidden_lines(notification: TicketNotification) -> list[str]:
    count = notification.quoted_lines
    return [f"{count:,} line{'' if count == 1 else 's'} of quoted text or signature hidden"] if count else []


def headline(notification: TicketNotification, limit: int) -> str:
    """Summarises the event in one line."""
    sender, subject = _format_sender(notification), format_subject(notification.subject, limit)
    return f"{event_label(notification)} from {sender}: {subject}"


def desktop_text(notification: TicketNotification, limit: int) -> str:
    """Returns the warning and the headline in one line, for desktop and mobile notifications."""
    return " ".join(filter(None, (warning_line(notification), headline(notification, limit))))


def event_label(notification: TicketNotification) -> str:
    """Names the event and the ticket. Contains no untrusted text."""
    prefix = "Test: " if notification.is_test else "Automatic message: " if notification.automatic else ""
    event = "New reply to ticket" if notification.event == "replied" else "New ticket"
    return f"{_RELEASED * notification.released}{prefix}{event} #{notification.number}"


def link_label(notification: TicketNotification, *, is_truncated: bool) -> str:
    action = "View full message in ticket" if is_truncated or notification.quoted_lines else "View ticket"
    return f"{action} #{notification.number}"


def _format_sender(notification: TicketNotification) -> str:
    return _format_mailbox(notification.from_name, notification.from_address)


def _format_reply_to(notification: TicketNotification) -> str:
    shown = [_format_mailbox(mailbox.name, mailbox.address) for mailbox in notification.reply_to[:_MAX_REPLY_TO]]
    remaining = len(notification.reply_to) - len(shown)
    return ", ".join([*shown, *([f"and {remaining} more"] if remaining else [])])


def _format_mailbox(name: str, address: str) -> str:
    """Formats name and address. The address is shown beside a name, because a name can imitate an address."""
    name, address = shorten(name, 100), format_address(address)
    labels = deceptive_domain(address)
    shown = f"{name} <{address}>" if name and address else address or name or "(unknown sender)"
    return f"{shown} ({labels})" if labels else shown


def format_address(address: str, limit: int = 320) -> str:
    return shorten(safe_identifier(address), limit)


def format_subject(subject: str, limit: int) -> str:
    return shorten(subject, limit) or _NO_SUBJECT


def _format_name(name: str) -> str:
    return shorten(name, 100) or "(no name)"


def shorten(text: str, limit: int) -> str:
    """Returns one line of at most `limit` UTF-16 units, or "" if no character is visible."""
    line = normalize_line(text)
    return truncate(line, limit) if is_visible(line) else ""


def attachment_lines(notification: TicketNotification, name_length: int = 100) -> list[str]:
    """Returns a line for each attachment shown, with at most `name_length` UTF-16 units of its name."""
    shown = [
        f"{_format_file_name(name, name_length) or '(no name)'} ({_format_size(size)})"
        for name, size in notification.attachments[:_MAX_ATTACHMENTS]
    ]
    remaining = len(notification.attachments) - len(shown)
    return [*shown, f"and {remaining} more"] if remaining else shown


def _format_file_name(name: str, limit: int) -> str:
    """Shortens a long file name but keeps a short extension, which shows the file type."""
    stem, dot, extension = name.rpartition(".")
    if not stem or utf16_length(extension) > _MAX_EXTENSION_LENGTH or utf16_length(name) <= limit:
        return shorten(name, limit)
    return shorten(stem, limit - utf16_length(dot + extension)) + normalize_line(dot + extension)


def _format_size(size: int) -> str:
    if size < 1000:
        return f"{size} B"
    value = float(size)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.5 or unit == "GB":
            break
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"


def format_time(timestamp: Micros, timezone: str) -> str:
    """Formats a time to the minute; `(unknown)` if `datetime` cannot represent it.

    `fromtimestamp` is not used, because it rejects distant times on some systems.
    """
    try:
        time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=timestamp)
        local = time.astimezone(get_zone(timezone))
        return f"{local:%Y-%m-%d %H:%M} {zone_label(local)}"
    except OverflowError:
        return "(unknown)"


def safe_link(url: str | None) -> str:
    """Returns the URL, or "" if it is missing, too long, not HTTP, or contains characters that could end a link."""
    if not url or len(url) > _MAX_LINK_LENGTH or not url.startswith(("https://", "http://")):
        return ""
    return url if url.isascii() and url.isprintable() and not set(url) & set(' <>|"') else ""


def group_by_address(entries: Sequence[DigestEntry], limit: int) -> dict[str, list[DigestEntry]]:
    """Groups the entries by alias, in the order of the first entry of each alias."""
    groups: dict[str, list[DigestEntry]] = {}
    for entry in entries:
        groups.setdefault(format_address(entry.address, limit) or "(none)", []).append(entry)
    return groups


def digest_title(entries: Sequence[DigestEntry]) -> str:
    return f"{len(entries)} more {'ticket updates' if len(entries) > 1 else 'ticket update'}"


def digest_line(entry: DigestEntry, limit: int) -> str:
    """Summarises an entry without its number: subject and sender, each of at most `limit` UTF-16 units."""
    marks = f"{_WARNING} " * entry.warned + _RELEASED * entry.released + _DIGEST_MARKS.get(entry.event, "")
    sender = append_a_labels(format_address(entry.from_address, limit)) or "(unknown sender)"
    return f"{marks}{format_subject(entry.subject, limit)} \u2013 {sender}"
