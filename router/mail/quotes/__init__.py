"""Splits the text of a message into new text and quoted text.

The signature and the quoted history of a reply are quoted text. No text is deleted. In case of doubt, text is new. A
forwarded message is new text as a whole. docs/mail.md lists the rules, docs/decisions/0026-quoted-text.md the reasons.
"""

from __future__ import annotations

from collections.abc import Iterable

from router.mail.quotes.history import Range, find_history, has_forward_heading, quotes_recipient
from router.mail.quotes.lines import Lines, read_lines
from router.mail.quotes.signatures import find_signature
from router.mail.quotes.subjects import classify_subject

# Only this many characters and lines are examined. Later text is new, unless the last examined line is history.
MAX_TEXT_LENGTH = 262144
_MAX_LINES = 20_000


def split(
    text: str, subject: str = "", *, sender: str = "", is_reply: bool = False, recipients: Iterable[str] = ()
) -> tuple[str, str]:
    """Returns (new, quoted). All text except blank lines is in one of the two, in the original order.

    If every line would be quoted, the signature counts as new, or the whole text if there is no signature.

    Args:
        sender: Name and address from the From field, `""` if unknown.
        is_reply: Whether In-Reply-To or References names a message.
        recipients: Normalised addresses of the message's participants other than the sender.
    """
    raw = text[:MAX_TEXT_LENGTH].split("\n")
    remaining = "".join(f"\n{line}" for line in raw[_MAX_LINES:]) + text[MAX_TEXT_LENGTH:]
    lines = read_lines(raw[:_MAX_LINES])
    is_complete = not remaining.strip()
    kind = classify_subject(subject, text)
    history: list[Range] = []
    if kind != "forward" and (is_reply or kind == "reply" or quotes_recipient(lines, frozenset(recipients))):
        count = len(lines.texts)
        history = find_history(
            lines, find_signature(lines, 0, count, sender=sender, with_list_footer=True) if is_complete else count
        )
    new, quoted = _partition(
        lines, history if kind == "forward" else _add_signature(lines, history, sender, is_complete=is_complete)
    )
    if not new:
        # If only a signature remains, it is new text: a phone may send a picture with nothing but its footer.
        new, quoted = _partition(lines, history)
    if not new:
        return text.strip("\n"), ""
    if is_complete:
        return new, quoted
    return (new, quoted + remaining) if history and history[-1][1] == len(lines.texts) else (new + remaining, quoted)


def _add_signature(lines: Lines, ranges: list[Range], sender: str, *, is_complete: bool) -> list[Range]:
    count = len(lines.texts)
    stop = ranges[-1][0] if ranges and ranges[-1][1] == count else count
    start = max((end for _, end in ranges if end <= stop), default=0)
    if (stop == count and not is_complete) or has_forward_heading(lines, start, stop):
        return ranges
    signature = find_signature(lines, start, stop, sender=sender)
    return sorted([*ranges, (signature, stop)]) if signature < stop else ranges


def _partition(lines: Lines, ranges: list[Range]) -> tuple[str, str]:
    """Returns the text outside the ranges and the text inside them."""
    new: list[str] = []
    quoted: list[str] = []
    position = 0
    for start, stop in ranges:
        stretch = "\n".join(lines.raw[start:stop])
        if start == position and quoted:
            quoted[-1] += f"\n{stretch}"
        else:
            new.append("\n".join(lines.raw[position:start]))
            quoted.append(stretch)
        position = stop
    new.append("\n".join(lines.raw[position:]))
    return _join_stretches(new), _join_stretches(quoted)


def _join_stretches(stretches: list[str]) -> str:
    return "\n\n".join(stretch.strip("\n").rstrip() for stretch in stretches if stretch.strip())
