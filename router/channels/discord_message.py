"""Renders Discord messages as content and embeds.

Every payload is within the limits below. `content` consists of our own words, a warning and the link of the ticket;
text from the message stands in the embed, or in the content of the plain form. It is escaped, as the warning is: it
mentions no one, links nowhere and has no formatting. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from router.channels import notification_text as nt
from router.channels.contract import DigestEntry, OperatorAlert, Payload, TestMessage, TicketNotification
from router.channels.untrusted_text import Markup, normalize_line, truncate, utf16_length

Embed = dict[str, Any]

# Discord's limits, in UTF-16 code units. The sum applies to all texts of all embeds of a message.
MAX_CONTENT_LENGTH = 2000
MAX_TITLE_LENGTH = 256
MAX_DESCRIPTION_LENGTH = 4096
MAX_FIELD_LENGTH = 1024
MAX_EMBED_LENGTH = 6000
MAX_THREAD_NAME_LENGTH = 100
MAX_DIGEST_ENTRIES = 25
_MAX_TEXT_LENGTH = 3000
_MIN_TEXT_LENGTH = 400
_MAX_STATE_LENGTH = 200
_MAX_ALERT_LENGTH = 1500
_MAX_WARNING_LENGTH = 600
_MAX_DIGEST_MARKS = 50  # what an entry has besides subject and sender
_SUPPRESS_EMBEDS = 4  # a message flag: Discord shows no previews of links
_QUOTE = "\n>>> "  # quotes the rest of the text

# A backslash makes punctuation literal. A zero-width space after @ and < prevents mentions in clients that ignore it;
# after the number of a list item, it prevents the list, and in the host of an invite, which Discord finds without a
# scheme, the box with a button to join.
MARKUP = Markup(
    {character: f"\\{character}" for character in "\\*_~`|>#-[]():"} | {"@": "\\@\u200b", "<": "\\<\u200b"},
    re.compile(
        r"(^[^\S\n]*[0-9]+(?=\.\s)|discord(?:app)?(?=\.(?:gg|gift|new|com)/))",
        re.MULTILINE | re.IGNORECASE,
    ),
    "\\1\u200b",
)
_ESCAPED = re.compile(r"\\(.)")
_HEADLINE = re.compile(r"^\*\*(.+?)\*\*", re.MULTILINE)  # a warning stands above


def render_ticket(notification: TicketNotification) -> Payload:
    embed: Embed = {"title": MARKUP.escape(nt.format_subject(notification.subject, MAX_TITLE_LENGTH), MAX_TITLE_LENGTH)}
    if link := nt.safe_link(notification.link):
        embed["url"] = link
    if fields := [*_state_fields(notification), *_attachment_fields(notification)]:
        embed["fields"] = fields
    if hidden := nt.hidden_lines(notification):
        embed["footer"] = {"text": "\n".join(hidden)}
    limit = min(MAX_DESCRIPTION_LENGTH, MAX_EMBED_LENGTH - embed_length(embed))
    rows = [_recipient_row(notification), *nt.sender_rows(notification), *nt.detail_rows(notification)]
    embed["description"], is_truncated = _describe(rows, notification, limit)
    return _payload(_content(notification, is_truncated=is_truncated), embed)


def render_plain_ticket(notification: TicketNotification) -> Payload:
    sender, *other_senders = nt.sender_rows(notification)
    attachments = ", ".join(nt.attachment_lines(notification, 50))
    rows = [
        _recipient_row(notification),
        sender,
        ("Subject", nt.format_subject(notification.subject, MAX_TITLE_LENGTH)),
        *other_senders,
        *nt.state_rows(notification),
        *nt.detail_rows(notification),
        *([("Attachments", attachments)] if attachments else []),
        *(("Note", line) for line in nt.hidden_lines(notification)),
    ]
    head = _content(notification, is_truncated=True)
    text, _ = _describe(rows, notification, MAX_CONTENT_LENGTH - utf16_length(head) - 1)
    return _payload(f"{head}\n{text}", None) | {"flags": _SUPPRESS_EMBEDS}


def render_digest(entries: Sequence[DigestEntry]) -> Payload:
    """Renders one message that lists the entries, grouped by alias and otherwise in the given order."""
    if not 1 <= len(entries) <= MAX_DIGEST_ENTRIES:
        raise ValueError(f"a digest has 1 to {MAX_DIGEST_ENTRIES} entries, not {len(entries)}")
    for limit, with_links in ((80, True), (40, True), (40, False), (20, False)):  # long texts need a lower limit
        description = _list_entries(entries, limit, with_links=with_links)
        if utf16_length(description) <= MAX_DESCRIPTION_LENGTH:
            break
    return _payload(f"**{nt.digest_title(entries)}**", {"description": description})


def render_test(message: TestMessage) -> Payload:
    description = f"{nt.WORKS}\n\n{_format_rows(nt.test_rows(message), MAX_FIELD_LENGTH)}"
    return _payload("**Test message from Email Router**", {"description": description})


def render_alert(alert: OperatorAlert) -> Payload:
    text = MARKUP.escape(nt.shorten(alert.text, _MAX_ALERT_LENGTH), _MAX_TEXT_LENGTH)
    description = f"{text}\n\n{_format_rows(nt.alert_rows(alert), MAX_FIELD_LENGTH)}"
    headline = f"**{MARKUP.escape(nt.shorten(alert.title, 100), 300)}**"
    if link := nt.safe_link(alert.link):
        headline += f"\n{nt.ALERT_LINK_LABEL}: <{link}>"
    return _payload(headline, {"description": description})


def embed_length(embed: Embed) -> int:
    """Returns what counts towards `MAX_EMBED_LENGTH`."""
    texts = [embed.get("title", ""), embed.get("description", ""), embed.get("footer", {}).get("text", "")]
    texts += [text for field in embed.get("fields", []) for text in (field["name"], field["value"])]
    return sum(utf16_length(text) for text in texts)


def thread_name(payload: Payload) -> str:
    """Returns the name of a new forum thread for a payload: its headline, and the subject if there is one."""
    headline = _HEADLINE.search(payload["content"])
    titles = [embed["title"] for embed in payload["embeds"] if "title" in embed]
    name = ": ".join(([headline[1]] if headline else []) + titles)
    return truncate(normalize_line(_ESCAPED.sub(r"\1", name)), MAX_THREAD_NAME_LENGTH)


def _payload(content: str, embed: Embed | None) -> Payload:
    return {"content": content, "embeds": [embed] if embed else [], "allowed_mentions": {"parse": []}}


def _content(notification: TicketNotification, *, is_truncated: bool) -> str:
    link = nt.safe_link(notification.link)
    lines = [
        MARKUP.escape(nt.warning_line(notification), _MAX_WARNING_LENGTH),
        f"**{nt.event_label(notification)}**",
        f"{nt.link_label(notification, is_truncated=is_truncated)}: <{link}>" if link else "",
    ]
    return "\n".join(filter(None, lines))


def _recipient_row(notification: TicketNotification) -> nt.Row:
    label = "New reply to" if notification.event == "replied" else "New email to"
    return label, nt.format_address(notification.address) or "(none)"


def _describe(rows: Sequence[nt.Row], notification: TicketNotification, limit: int) -> tuple[str, bool]:
    """Returns the rows and the quoted text within `limit`, and whether the text is incomplete."""
    head = _format_rows(rows, limit - _MIN_TEXT_LENGTH) + _QUOTE
    text, is_truncated = nt.message_text(notification, min(_MAX_TEXT_LENGTH, limit - utf16_length(head)), MARKUP)
    return head + text, is_truncated


def _format_rows(rows: Sequence[nt.Row], limit: int) -> str:
    """Returns a line for each row. Long texts need a lower limit for each value, extreme ones also fewer rows."""
    for value_limit in (600, 100, 30):
        lines = [f"**{label}** {MARKUP.escape(value, value_limit)}" for label, value in rows]
        if utf16_length("\n".join(lines)) <= limit:
            break
    while utf16_length("\n".join(lines)) > limit:
        lines.pop()
    return "\n".join(lines)


def _state_fields(notification: TicketNotification) -> list[dict[str, Any]]:
    return [
        {"name": label, "value": MARKUP.escape(value, _MAX_STATE_LENGTH), "inline": True}
        for label, value in nt.state_rows(notification)
    ]


def _attachment_fields(notification: TicketNotification) -> list[dict[str, Any]]:
    if not notification.attachments:
        return []
    for name_length in (100, 50, 20):  # many long names need a lower limit
        lines = nt.attachment_lines(notification, name_length)
        value = "\n".join(MARKUP.escape(line, MAX_FIELD_LENGTH) for line in lines)
        if utf16_length(value) <= MAX_FIELD_LENGTH:
            break
    return [{"name": "Attachments", "value": value}]


def _list_entries(entries: Sequence[DigestEntry], limit: int, *, with_links: bool) -> str:
    lines = []
    for address, members in nt.group_by_address(entries, limit).items():
        lines.append(f"**{len(members)} for {MARKUP.escape(address, 2 * limit)}**")
        for entry in members:
            number, link = f"#{entry.number}", nt.safe_link(entry.link) if with_links else ""
            summary = MARKUP.escape(nt.digest_line(entry, limit), 2 * limit + _MAX_DIGEST_MARKS)
            lines.append(f"- [{number}](<{link}>) {summary}" if link else f"- {number} {summary}")
    return "\n".join(lines)
