"""The message that a reply quotes below its text.

`router.mail.quotes` recognises the result, so that a reply and the answers to it show only their new text.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from router.local_time import LocalTime
from router.mail.compose.html import text_to_html
from router.mail.decode import clean_line, clean_text
from router.model import Micros

MAX_LINES = 200
MAX_BYTES = 32768
MAX_AUTHOR_LENGTH = 120  # characters
_OMITTED = "[...]"  # the last line of a quote that was cut
_BLOCKQUOTE = (
    '<blockquote type="cite" style="margin:0 0 0 0.8ex;border-left:2px solid #ccc;padding-left:1ex">{}</blockquote>'
)


@dataclass(frozen=True, slots=True)
class Quote:
    """A message to quote.

    Attributes:
        author: The name of its author, or the address.
        sent_at: When it was sent, or received.
        timezone, locale: Those of the workspace, for the time in the line above the quote.
        html: A result of `router.mail.compose.html.clean_html`, "" to quote `text` in HTML too.
    """

    author: str
    sent_at: Micros
    timezone: str
    locale: str
    text: str
    html: str = ""


def quote_as_text(quote: Quote) -> str:
    """Returns the quoted text with `> ` before each line, below the line that names its author; "" without text."""
    lines = _limit_lines(quote.text)
    quoted = (f">{line}" if line.startswith(">") or not line else f"> {line}" for line in lines)
    return "\n".join([_attribution(quote), *quoted]) if lines else ""


def quote_as_html(quote: Quote) -> str:
    """Returns the quote in HTML. HTML of more than `MAX_BYTES` is quoted as text, because it cannot be cut."""
    html = quote.html if len(quote.html.encode()) <= MAX_BYTES else ""
    content = html or text_to_html("\n".join(_limit_lines(quote.text)))
    return f"{escape(_attribution(quote), quote=False)}<br>\n{_BLOCKQUOTE.format(content)}" if content else ""


def _attribution(quote: Quote) -> str:
    time = LocalTime(quote.timezone, quote.locale).format_minute(quote.sent_at)
    return f"On {time}, {clean_line(quote.author, MAX_AUTHOR_LENGTH) or 'unknown sender'} wrote:"


def _limit_lines(text: str) -> list[str]:
    """Returns the first lines within `MAX_LINES` and `MAX_BYTES`, which count the quote marks too."""
    every = [line.rstrip() for line in clean_text(text).strip("\n").split("\n")]
    lines: list[str] = []
    bytes_left = MAX_BYTES
    for line in every[:MAX_LINES]:
        bytes_left -= len(line.encode()) + len("> \r\n")
        if bytes_left < 0:
            break
        lines.append(line)
    if len(lines) < len(every):
        lines = [*lines[: MAX_LINES - 1], _OMITTED]
    return lines if any(lines) else []
