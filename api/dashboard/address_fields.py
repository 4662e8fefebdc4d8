"""Lists of recipients in input fields of forms."""

from __future__ import annotations

import re
from collections.abc import Iterable

from router.mail.contents import NamedMailbox
from router.replies.recipients import format_recipient

MAX_LENGTH = 10_000  # characters of a field; a longer one has more recipients than a reply may have
_ITEM = re.compile(r'(?:"[^"]*"|[^",;\r\n])+')


def split_recipients(text: str) -> tuple[str, ...]:
    """Returns the items of a list that is separated by commas, semicolons or lines. Nothing is lost or checked."""
    items = (item.strip() for item in _ITEM.findall(text[:MAX_LENGTH]))
    return tuple(item for item in items if item)


def join_recipients(mailboxes: Iterable[NamedMailbox]) -> str:
    """Returns the list that `split_recipients` splits: `Ada <ada@example.org>, bob@example.org`."""
    return ", ".join(map(format_recipient, mailboxes))
