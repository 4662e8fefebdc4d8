"""Chooses the replies to senders, recipients and messages, and the delay before a reply. Pure.

Functions with an optional result return None if there is no reason to reject.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from router.errors import StorageFull
from router.mail.address import AddressError, Mailbox
from router.routing.route import Refusal, RefusalReason
from router.routing.senders import SenderList, normalize_entry
from smtp import replies
from smtp.bounds import Bounds
from smtp.replies import Reply

_REFUSALS: dict[RefusalReason, Reply] = {
    "relay": replies.RELAY_DENIED,
    "pending": replies.DOMAIN_PENDING,
    "unknown": replies.NO_SUCH_ALIAS,
    "disabled": replies.ALIAS_DISABLED,
    "blocked": replies.SENDER_BLOCKED,
}


def refusal_reply(refusal: Refusal) -> Reply:
    return _REFUSALS[refusal.reason]


def declared_size_reply(size: int | None, limit: int) -> Reply | None:
    """Rejects a message by its declared size, before its content is sent (RFC 1870 section 6.1)."""
    return replies.TOO_LARGE if size is not None and size > limit else None


def recipient_count_reply(accepted: int, limit: int) -> Reply | None:
    """Temporarily rejects recipients past the limit; earlier ones stay accepted (RFC 5321 4.5.3.1.10)."""
    return replies.TOO_MANY_RECIPIENTS if accepted >= limit else None


def refused_recipient_reply(reply: Reply, count: int, bounds: Bounds) -> Reply:
    """Returns `reply` to a rejected recipient, or 421 after too many rejected recipients in the session.

    The limit may be higher for recipients past `max_recipients` (RFC 5321 section 4.5.3.1.8), so that the
    transaction continues for the recipients accepted before.

    Args:
        count: The rejected recipients of the session, including this one.
    """
    limit = bounds.max_recipients
    if reply is replies.TOO_MANY_RECIPIENTS:
        limit = max(limit, bounds.guaranteed_recipients)
    return replies.TOO_MANY_REFUSED if count > limit else reply


def received_fields_reply(content: bytes, limit: int, searched: int = Bounds.max_searched_header_bytes) -> Reply | None:
    """Rejects more than `limit` Received fields as a routing loop (RFC 5321 section 6.3).

    Counts only the fields in the header, and only in its first `searched` bytes.
    """
    if content.startswith(b"\r\n"):
        return None
    end = content.find(b"\r\n\r\n", 0, searched)
    header = content[: end if end >= 0 else searched].lower()
    count = header.count(b"\r\nreceived:") + header.startswith(b"received:")
    return replies.LOOP if count > limit else None


def is_guess(reply: Reply) -> bool:
    """Whether the reply to a recipient indicates address harvesting or open-relay probing."""
    return reply is replies.NO_SUCH_ALIAS or reply is replies.RELAY_DENIED


def tarpit_delay(guesses: int, bounds: Bounds) -> float:
    """Returns the seconds to wait before the reply to the latest of `guesses` in a session.

    Slows down dictionary attacks, in which each guess costs a database query.
    """
    return min(max(0, guesses - bounds.undelayed_guesses) * bounds.guess_delay, bounds.max_guess_delay)


def fault_reply(error: Exception) -> Reply:
    """Returns a temporary failure without the text of the exception."""
    return replies.NO_STORAGE if isinstance(error, StorageFull) else replies.FAULT


class BlockedSenders:
    """The senders that the operator blocks.

    Args:
        entries: Addresses (`a@spam.example`), domains (`@spam.example` or `spam.example`, `.spam.example` with all
            domains below it) and networks (`192.0.2.0/24`).
    """

    def __init__(self, entries: Iterable[str]) -> None:
        self._blocked = SenderList((entry, entry) for entry in _normalised_entries(entries))

    def check(self, peer: str, sender: Mailbox | None) -> Reply | None:
        return None if self._blocked.narrowest(sender, peer) is None else replies.SENDER_BLOCKED


def _normalised_entries(entries: Iterable[str]) -> Iterator[str]:
    for entry in entries:
        with suppress(AddressError):  # not a valid domain, so no sender matches it
            yield normalize_entry(entry)
