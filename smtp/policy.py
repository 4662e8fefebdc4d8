"""Decisions as replies: which `Reply` a fact deserves. Pure: facts in, a `Reply` out, None where nothing is against it.

The rows of the documented SMTP behaviour that are about what a mail is and whom it is for are here, one function for
each kind of fact. Nothing here waits, remembers or knows a connection. Who calls it: `smtp.session`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from router.errors import StorageFull
from router.mail.address import AddressError, Mailbox, domain_key, local_key
from router.routing.route import Refusal, RefusalReason
from smtp import replies
from smtp.limits import AddressSet
from smtp.replies import Reply

_REFUSALS: dict[RefusalReason, Reply] = {
    "relay": replies.RELAY_DENIED,
    "pending": replies.DOMAIN_PENDING,
    "unknown": replies.NO_SUCH_ALIAS,
    "disabled": replies.ALIAS_DISABLED,
    "blocked": replies.SENDER_BLOCKED,
}
# Octets of a head that are searched: a head without an end must not stall everybody else's mail.
_HEAD_LIMIT = 262144
_FREE_GUESSES = 3
_DELAY_STEP = 0.5  # seconds more for each guess
_LONGEST_DELAY = 5.0  # seconds; the client waits 5 minutes (RFC 5321 4.5.3.2.3), the place is held as long


def for_refusal(refusal: Refusal) -> Reply:
    """What a recipient that has no target is told."""
    return _REFUSALS[refusal.reason]


def for_declared_size(size: int | None, limit: int) -> Reply | None:
    """RFC 1870 section 6.1: a mail that says it is too large is refused before it is sent."""
    return replies.TOO_LARGE if size is not None and size > limit else None


def for_recipient_count(accepted: int, limit: int) -> Reply | None:
    """RFC 5321 section 4.5.3.1.10: the recipients past the limit are put off, the mail goes on."""
    return replies.TOO_MANY_RECIPIENTS if accepted >= limit else None


def for_received_fields(content: bytes, limit: int) -> Reply | None:
    """RFC 5321 section 6.3: a mail that has seen more than `limit` servers goes round in circles.

    Only the head counts, to the first empty line; a mail that quotes others' heads in its body does not loop.
    """
    if content.startswith(b"\r\n"):
        return None
    end = content.find(b"\r\n\r\n", 0, _HEAD_LIMIT)
    head = content[: end if end >= 0 else _HEAD_LIMIT].lower()
    count = head.count(b"\r\nreceived:") + head.startswith(b"received:")
    return replies.LOOP if count > limit else None


def is_guess(reply: Reply) -> bool:
    """Whether a recipient was refused in a way that those hear who try out addresses, or look for an open relay."""
    return reply is replies.NO_SUCH_ALIAS or reply is replies.RELAY_DENIED


def tarpit_delay(guesses: int) -> float:
    """Seconds to wait before a recipient is refused that is one of so many guesses of this session.

    Nobody who writes to people they know guesses often; who harvests addresses shall need hours for a dictionary. Each
    costs a question to the database, too: a refusal is never answered from memory.
    """
    return min(max(0, guesses - _FREE_GUESSES) * _DELAY_STEP, _LONGEST_DELAY)


def for_fault(error: Exception) -> Reply:
    """Whatever went wrong here is ours, and passes: never a 5yz, never a word of the exception."""
    return replies.NO_STORAGE if isinstance(error, StorageFull) else replies.FAULT


class BlockedSenders:
    """The senders that the host's owner refuses: addresses, whole domains, networks.

    entries: `a@spam.example`, `@spam.example` or `spam.example`, `192.0.2.0/24`, as `config.schema.Smtp` has them.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        networks = []
        self._domains: set[str] = set()
        self._mailboxes: set[tuple[str, str]] = set()
        for entry in entries:
            try:
                networks.append(ipaddress.ip_network(entry))
                continue
            except ValueError:
                pass
            local, _, domain = entry.rpartition("@")
            key = _domain_key(domain)
            if local:
                self._mailboxes.add((local_key(local), key))
            else:
                self._domains.add(key)
        self._networks = AddressSet(networks)

    def check(self, peer: str, sender: Mailbox | None) -> Reply | None:
        """The reply to MAIL from this peer with this reverse-path, None when neither is blocked."""
        if peer in self._networks:
            return replies.SENDER_BLOCKED
        if sender is None or not (self._domains or self._mailboxes):
            return None
        key = sender.domain_key
        if key in self._domains or (sender.local_key, key) in self._mailboxes:
            return replies.SENDER_BLOCKED
        return None


def _domain_key(domain: str) -> str:
    try:
        return domain_key(domain)
    except AddressError:
        return domain  # no mail can come from what is not a domain; the settings named it, so it stays as it is
