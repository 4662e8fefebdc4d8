"""Builds the conversation in `References` (RFC 5322 section 3.6.4)."""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_REFERENCES = 20
"""Message-IDs in `References`, the anchor included: long fields are refused or cut by some servers."""
MAX_ID_LENGTH = 900  # characters; with its brackets it fits in a line of 998 bytes
# Other IDs, which the senders of mail may choose, cannot be written without changing them.
_ID = re.compile(rf"[!-;=?-~]{{1,{MAX_ID_LENGTH}}}")


def build_references(anchor: str, conversation_ids: Iterable[str]) -> tuple[str, ...]:
    """Returns the Message-IDs for `References`: the anchor of the ticket first, and the newest one last.

    Args:
        conversation_ids: The Message-IDs of the conversation without angle brackets, oldest first. Those that cannot be
            written in a header are left out. Of duplicates, the last one counts.
    """
    newest_first = [message_id for message_id in reversed([*conversation_ids]) if is_message_id(message_id)]
    distinct = [message_id for message_id in dict.fromkeys(newest_first) if message_id != anchor]
    return (anchor, *reversed(distinct[: MAX_REFERENCES - 1]))


def is_message_id(text: str) -> bool:
    """Whether a Message-ID without angle brackets can be written in a header as it is."""
    return _ID.fullmatch(text) is not None
