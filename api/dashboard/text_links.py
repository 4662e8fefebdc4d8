"""Makes links of the URLs in plain text. The text stays the same, and the text of each link is its target."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from router.unicode_security import INVISIBLE_CONTROLS

MAX_URL_LENGTH = 2000
"""Longer URLs stay text."""
MAX_LINKS_LENGTH = 8000
"""Maximum characters of HTML that the links of one text add; later URLs stay text."""

_LINK = Markup('<a href="{0}" rel="noopener noreferrer nofollow" target="_blank" dir="ltr">{0}</a>')
_LINK_OVERHEAD = len(_LINK)
_URL = re.compile(
    rf"(?<![a-zA-Z0-9_/:.@-])(?:https?://|mailto:)[^\s<>\"{INVISIBLE_CONTROLS}\x00-\x1f\x7f]++", re.IGNORECASE
)
# The host of a web address, without user information, which could look like a host; or a mail address.
_VALID = re.compile(r"https?://(?![^/?#]*@)(?:\w|\[[\da-f:.]+\])|mailto:[^\s@?]+@\w", re.IGNORECASE)
_TRAILING = frozenset(".,:;!?'*_~`|\u2026\u3002\u3001\uff0c\uff0e\uff1a\uff1b\uff01\uff1f\u060c\u061b\u061f\u06d4")
_BRACKETS = dict(
    zip(")]}\u300d\u300f\u3011\uff09\u00bb\u201d\u2019", "([{\u300c\u300e\u3010\uff08\u00ab\u201c\u2018", strict=True)
)


def linkify(text: str) -> Markup:
    """Escapes the text and makes links of its `http:`, `https:` and `mailto:` URLs."""
    pieces: list[Markup] = []
    end, added = 0, 0
    for found in _URL.finditer(text):
        url = trim_url(found[0])
        cost = _LINK_OVERHEAD + len(url)
        if not url or added + cost > MAX_LINKS_LENGTH:
            continue
        added += cost
        pieces += [escape(text[end : found.start()]), _LINK.format(url)]
        end = found.start() + len(url)
    return Markup("").join([*pieces, escape(text[end:])])


def trim_url(url: str) -> str:
    """Returns the URL without the punctuation that ends a sentence and closing brackets that it does not open.

    Returns `""` if it is not a valid target.
    """
    end = len(url)
    surplus = {closing: url.count(closing) - url.count(opening) for closing, opening in _BRACKETS.items()}
    while end:
        last = url[end - 1]
        if last in surplus and surplus[last] > 0:
            surplus[last] -= 1
        elif last not in _TRAILING:
            break
        end -= 1
    url = url[:end]
    return url if len(url) <= MAX_URL_LENGTH and _VALID.match(url) else ""
