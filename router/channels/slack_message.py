"""Renders Slack messages as Block Kit payloads.

Every payload is within the limits below. It mentions no user or channel, links only to pages of this installation, and
shows no link previews. Message text cannot imitate the lines above it. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from router.channels import notification_text as nt
from router.channels import slack_blocks as sb
from router.channels.contract import DigestEntry, OperatorAlert, Payload, TestMessage, TicketNotification
from router.channels.untrusted_text import utf16_length
from router.enumerations import TICKET_STATUS

MAX_PAYLOAD_BYTES = 30_000
MAX_CHARACTERS = 10_000  # UTF-16 code units in all blocks
MAX_HEADER_LENGTH = 150
MAX_DIGEST_ENTRIES = 40
MAX_ALERT_LENGTH = 1500
_MAX_FALLBACK_LENGTH = 3000

_PLAIN_TEXT_OPTIONS: Payload = {
    "mrkdwn": False,
    "parse": "none",
    "link_names": False,
    "unfurl_links": False,
    "unfurl_media": False,
}


def render_ticket(notification: TicketNotification) -> Payload:
    for limit in (sb.MAX_TEXT, sb.MAX_TEXT // 2, 200):  # crafted text needs a lower limit
        payload = _render_ticket(notification, limit)
        if payload_size(payload) <= MAX_PAYLOAD_BYTES and count_characters(payload) <= MAX_CHARACTERS:
            break
    return payload


def render_plain_ticket(notification: TicketNotification) -> Payload:
    rows = [nt.warning_line(notification), nt.headline(notification, 300)]
    parts = [*filter(None, rows), *(f"{label}: {value}" for label, value in _field_rows(notification))]
    quoted, _ = nt.message_text(notification, 1200)
    quoted = "\n".join([*(f"| {row}" for row in quoted.split("\n")), *nt.hidden_lines(notification)])
    attachments = [f"- {name}" for name in nt.attachment_lines(notification)]
    body = "\n".join(["\n".join(parts), "", quoted, *(["", "Attachments:", *attachments] if attachments else [])])
    link = nt.safe_link(notification.link)
    tail = f"\n\n<{link}>" if link else ""  # this link is the only markup that Slack parses
    return _PLAIN_TEXT_OPTIONS | {"text": sb.MARKUP.escape(body, _MAX_FALLBACK_LENGTH - utf16_length(tail)) + tail}


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
    rows = nt.test_rows(notification)
    blocks = [
        sb.header_block("Test message from Email Router"),
        sb.rich_text_block([sb.section_element([sb.text_element(nt.WORKS)])]),
        sb.rich_text_block([sb.section_element(list(sb.field_elements(rows)))]),
    ]
    text = f"Test message from Email Router: the integration {dict(rows)['Integration']} works."
    return _PLAIN_TEXT_OPTIONS | {"text": sb.MARKUP.escape(text, _MAX_FALLBACK_LENGTH), "blocks": blocks}


def render_alert(alert: OperatorAlert) -> Payload:
    text = nt.shorten(alert.text, MAX_ALERT_LENGTH)
    blocks = [
        sb.header_block(alert.title),
        sb.rich_text_block([sb.section_element([sb.text_element(text)])]),
        sb.rich_text_block([sb.section_element(list(sb.field_elements(nt.alert_rows(alert))))]),
    ]
    if link := nt.safe_link(alert.link):
        blocks.append(sb.rich_text_block([sb.section_element([sb.link_element(link, nt.ALERT_LINK_LABEL)])]))
    return _PLAIN_TEXT_OPTIONS | {
        "text": sb.MARKUP.escape(f"{alert.title}: {text}", _MAX_FALLBACK_LENGTH),
        "blocks": blocks,
    }


def payload_size(payload: Payload) -> int:
    """Returns the size of the serialised payload in bytes."""
    return len(json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8"))


def count_characters(value: object) -> int:
    """Counts the UTF-16 units of every text and URL under `blocks`."""
    if isinstance(value, dict):
        own = sum(utf16_length(value[key]) for key in ("text", "url") if isinstance(value.get(key), str))
        return own * ("type" in value) + sum(count_characters(inner) for inner in value.values())
    return sum(count_characters(inner) for inner in value) if isinstance(value, list) else 0


def _render_ticket(notification: TicketNotification, limit: int) -> Payload:
    quoted, is_truncated = nt.message_text(notification, limit)
    blocks = [
        *_warning_blocks(notification),
        sb.header_block(nt.format_subject(notification.subject, MAX_HEADER_LENGTH)),
        sb.rich_text_block([sb.section_element(list(sb.field_elements(_field_rows(notification))))]),
        sb.rich_text_block(
            [
                sb.quote_element(quoted),
                *(sb.section_element([sb.text_element(line)]) for line in nt.hidden_lines(notification)),
            ]
        ),
    ]
    attachments = nt.attachment_lines(notification)
    if attachments:
        blocks.append(
            sb.rich_text_block(
                [
                    sb.section_element([sb.text_element("Attachments", bold=True)]),
                    sb.bullet_list([[sb.text_element(name)] for name in attachments]),
                ]
            )
        )
    link = nt.safe_link(notification.link)
    if link:
        label = nt.link_label(notification, is_truncated=is_truncated)
        blocks.append(sb.rich_text_block([sb.section_element([sb.link_element(link, label)])]))
    return _PLAIN_TEXT_OPTIONS | {
        "text": sb.MARKUP.escape(nt.desktop_text(notification, 500), _MAX_FALLBACK_LENGTH),
        "blocks": blocks,
    }


def _warning_blocks(notification: TicketNotification) -> list[sb.Element]:
    line = nt.warning_line(notification)
    return [sb.rich_text_block([sb.section_element([sb.text_element(line, bold=True)])])] if line else []


def _field_rows(notification: TicketNotification) -> list[nt.Row]:
    state = f"{TICKET_STATUS.label(notification.status).lower()}{', released from spam' * notification.released}"
    return [
        *nt.sender_rows(notification),
        ("To", nt.format_address(notification.address) or "(none)"),
        ("Reply to ticket" if notification.event == "replied" else "Ticket", f"#{notification.number} ({state})"),
        *nt.detail_rows(notification),
    ]


def _render_digest(entries: Sequence[DigestEntry], limit: int, *, with_links: bool) -> Payload:
    groups = nt.group_by_address(entries, limit)
    parts: list[sb.Element] = []
    for address, members in groups.items():
        parts.append(sb.section_element([sb.text_element(f"{len(members)} for {address}", bold=True)]))
        parts.append(sb.bullet_list([_digest_item(entry, limit, with_links=with_links) for entry in members]))
    title = nt.digest_title(entries)
    numbers = ", ".join(f"#{entry.number}" for entry in entries)
    summaries = [f"{len(members)} for {address}" for address, members in groups.items()]
    text = f"{title}: {'; '.join(summaries[:5])}{'; ...' if len(summaries) > 5 else ''} ({numbers})"
    return _PLAIN_TEXT_OPTIONS | {
        "text": sb.MARKUP.escape(text, _MAX_FALLBACK_LENGTH),
        "blocks": [sb.header_block(title), sb.rich_text_block(parts)],
    }


def _digest_item(entry: DigestEntry, limit: int, *, with_links: bool) -> list[sb.Element]:
    number, link = f"#{entry.number}", nt.safe_link(entry.link) if with_links else ""
    return [
        sb.link_element(link, number) if link else sb.text_element(number),
        sb.text_element(f" {nt.digest_line(entry, limit)}"),
    ]
