"""Generates the fixed mix of realistic messages: half plain text of 4 KB, half HTML with a text alternative of 20 KB.

The same messages are generated in every run. Their words are as frequent as in a natural language, so parsing and the
search index work as with real mail.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

_PLAIN_BYTES, _HTML_BYTES = 4096, 20480
_VARIANTS = 32  # different messages of each kind
_VOCABULARY = 4000
_SYLLABLES = ("ba", "ce", "di", "fo", "gu", "la", "me", "ni", "po", "ru", "sta", "tri", "ver", "zen")
_BOUNDARY = "=_part_7f3a"
_CELL = (
    '<tr>\r\n<td align="left" valign="top" style="padding: 12px 24px; font-family: Arial, sans-serif; '
    'font-size: 15px;\r\n line-height: 22px; color: #333333;">\r\n<p style="margin: 0 0 16px 0;">{text}</p>\r\n'
    '<a href="https://shop.test/orders?id={number}" style="color: #1155cc;">Order {number}</a>\r\n</td>\r\n</tr>\r\n'
)


def mixed_messages() -> Sequence[tuple[bytes, bytes]]:
    """Returns the last header lines and the body of each message, plain text and HTML in turn.

    The bodies need no dot-stuffing and have no end of data.
    """
    source = random.Random(1)
    words = ["".join(source.choices(_SYLLABLES, k=source.randint(1, 4))) for _ in range(_VOCABULARY)]
    weights = [1 / rank for rank in range(1, _VOCABULARY + 1)]
    messages = []
    for _ in range(_VARIANTS):
        supply = _WordSupply(source, words, weights)
        messages.append((b"Content-Type: text/plain; charset=utf-8\r\n", _plain_text(supply, _PLAIN_BYTES).encode()))
        content_type = f'Content-Type: multipart/alternative; boundary="{_BOUNDARY}"\r\n'
        messages.append((content_type.encode(), _alternatives(supply).encode()))
    return messages


class _WordSupply:
    def __init__(self, source: random.Random, words: Sequence[str], weights: Sequence[float]) -> None:
        self._source = source
        self._words = words
        self._weights = weights

    def take_lines(self, count: int) -> str:
        """Returns text of `count` lines of 11 words."""
        chosen = self._source.choices(self._words, self._weights, k=11 * count)
        return "\r\n".join(" ".join(chosen[n : n + 11]) for n in range(0, len(chosen), 11))

    def take_number(self) -> int:
        return self._source.randint(10_000, 99_999)


def _plain_text(supply: _WordSupply, nbytes: int) -> str:
    """Returns new text of two thirds, a signature, and a quoted message of one third."""
    new = "Hello,\r\n\r\n"
    while len(new) < nbytes * 2 // 3:
        new += f"{supply.take_lines(4)}.\r\n\r\n"
    text = f"{new}-- \r\nAda Sender\r\nOrder {supply.take_number()}\r\n\r\nOn Mon, 7 Jan 2030, Support wrote:\r\n"
    while len(text) < nbytes:
        text += f"> {supply.take_lines(1)}\r\n"
    return text


def _alternatives(supply: _WordSupply) -> str:
    plain = _plain_text(supply, 3000)
    html = (
        '<!DOCTYPE html>\r\n<html>\r\n<head>\r\n<meta charset="utf-8">\r\n<style type="text/css">\r\n'
        "body { margin: 0; } .footer { font-size: 11px; color: #999999; }\r\n</style>\r\n</head>\r\n<body>\r\n"
        '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0">\r\n'
    )
    while len(html) < _HTML_BYTES - len(plain):
        html += _CELL.format(text=supply.take_lines(3), number=supply.take_number())
    html += '</table>\r\n<p class="footer">Ada Sender<br>1 High Street</p>\r\n</body>\r\n</html>\r\n'
    parts = (("plain", plain), ("html", html))
    body = "".join(
        f"--{_BOUNDARY}\r\nContent-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n{text}"
        for kind, text in parts
    )
    return f"{body}--{_BOUNDARY}--\r\n"
