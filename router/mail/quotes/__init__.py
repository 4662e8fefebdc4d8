"""What is new in a mail's text, and what is history or signature: kept, but folded.

`split` never cuts without evidence. History is only searched in an answer: a mail whose header names another one, whose
subject has the mark of an answer, or that quotes one of its recipients. A first mail is new but for its signature. A
forwarded mail is what its sender wants to show. Where nothing would be left, all of the text is new.
docs/mail.md lists the rules, docs/decisions/0026-quoted-text.md gives their reasons.
"""

from __future__ import annotations

from collections.abc import Iterable

from router.mail.quotes.history import Range, find_history, has_forward_heading, quotes_recipient
from router.mail.quotes.lines import Lines, read_lines
from router.mail.quotes.signatures import find_signature
from router.mail.quotes.subjects import classify_subject

MAX_TEXT_LENGTH = 262144  # characters that are examined; what lies behind them stays with the part it is in
_MAX_LINES = 20_000  # likewise


def split(
    text: str, subject: str = "", *, sender: str = "", is_reply: bool = False, recipients: Iterable[str] = ()
) -> tuple[str, str]:
    """(new, quoted), without empty lines around them. Together they hold every line of the text, each in its order.

    Args:
        subject: decoded. Its mark says that the mail is an answer, or that it forwards another one.
        sender: name and address of From, `""` if they are unknown.
        is_reply: In-Reply-To or References names a mail.
        recipients: addresses of To and Cc in their comparable form.
    """
    raw = text[:MAX_TEXT_LENGTH].split("\n")
    rest = "".join(f"\n{line}" for line in raw[_MAX_LINES:]) + text[MAX_TEXT_LENGTH:]
    lines = read_lines(raw[:_MAX_LINES])
    ends = not rest.strip()
    mark = classify_subject(subject, text)
    history: list[Range] = []
    if mark != "forward" and (is_reply or mark == "reply" or quotes_recipient(lines, frozenset(recipients))):
        count = len(lines.texts)
        history = find_history(
            lines, find_signature(lines, 0, count, sender=sender, with_list_footer=True) if ends else count
        )
    new, quoted = _partition(
        lines, history if mark == "forward" else _add_signature(lines, history, sender, is_complete=ends)
    )
    if not new:
        new, quoted = _partition(lines, history)  # a picture sent from a phone: only its footer and history
    if not new:
        return text.strip("\n"), ""
    if ends:
        return new, quoted
    return (new, quoted + rest) if history and history[-1][1] == len(lines.texts) else (new + rest, quoted)


def _add_signature(lines: Lines, ranges: list[Range], sender: str, *, is_complete: bool) -> list[Range]:
    """Add the range of the signature that ends the new text. is_complete: no text follows the lines."""
    count = len(lines.texts)
    stop = ranges[-1][0] if ranges and ranges[-1][1] == count else count
    start = max((end for _, end in ranges if end <= stop), default=0)
    if (stop == count and not is_complete) or has_forward_heading(lines, start, stop):
        return ranges
    signature = find_signature(lines, start, stop, sender=sender)
    return sorted([*ranges, (signature, stop)]) if signature < stop else ranges


def _partition(lines: Lines, ranges: list[Range]) -> tuple[str, str]:
    """The lines outside the ranges, and those inside. Lines that do not touch have an empty line between them."""
    new: list[str] = []
    quoted: list[str] = []
    at = 0
    for start, stop in ranges:
        stretch = "\n".join(lines.raw[start:stop])
        if start == at and quoted:
            quoted[-1] += f"\n{stretch}"
        else:
            new.append("\n".join(lines.raw[at:start]))
            quoted.append(stretch)
        at = stop
    new.append("\n".join(lines.raw[at:]))
    return _join_stretches(new), _join_stretches(quoted)


def _join_stretches(stretches: list[str]) -> str:
    return "\n\n".join(stretch.strip("\n").rstrip() for stretch in stretches if stretch.strip())
