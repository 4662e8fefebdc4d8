"""Decides whether a sender is allowed or blocked in a workspace. Pure.

In each list, the narrowest entry that matches decides (`router.routing.senders`). If both lists have one, the allowed
sender wins if its entry is as narrow as the blocked one or narrower.

At RCPT only the address of MAIL FROM and the client's IP address are known. An allowed sender that requires
authentication is believed until the message is checked; if the check then fails, the block holds. Without sender checks
(`[checks] enabled`), such an entry never holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from router.enumerations import BlockAction
from router.mail.address import MAX_MAILBOX_BYTES, AddressError, Mailbox, parse_mailbox
from router.routing.senders import Match, SenderList, is_network


@dataclass(frozen=True, slots=True)
class AllowEntry:
    """An allowed sender. With `require_auth`, it only holds for a message whose From is authenticated."""

    sender: str
    require_auth: bool


@dataclass(frozen=True, slots=True)
class BlockEntry:
    """A blocked sender."""

    sender: str
    action: BlockAction


@dataclass(frozen=True, slots=True)
class SenderDecision:
    """At most one of `allowed` and `blocked` is set: the entry that decides. `overruled` lost against `allowed`."""

    allowed: AllowEntry | None = None
    blocked: BlockEntry | None = None
    overruled: BlockEntry | None = None

    @property
    def is_refused(self) -> bool:
        """Whether RCPT is refused. After RCPT, every blocked sender counts as spam."""
        return self.blocked is not None and self.blocked.action == "refuse"


class SenderLists:
    """The allowed and the blocked senders of a workspace."""

    def __init__(self, allowed: Iterable[AllowEntry] = (), blocked: Iterable[BlockEntry] = ()) -> None:
        allow_entries, block_entries = tuple(allowed), tuple(blocked)
        self._allowed = SenderList((entry.sender, entry) for entry in allow_entries)
        self._blocked = SenderList((entry.sender, entry) for entry in block_entries)
        self.size = len(allow_entries) + len(block_entries)
        self.has_blocked = bool(block_entries)

    def decide_recipient(self, reverse_path: str, peer: str, *, has_checks: bool) -> SenderDecision:
        """Decides at RCPT.

        Args:
            has_checks: Whether the message will be checked, so that an allowed sender that requires authentication can
                be believed until then.
        """
        sender = _parse(reverse_path)
        allowed = (
            match
            for match in self._allowed.matches(sender, peer)
            if has_checks or not _needs_authentication(match.entry)
        )
        return _decide(allowed, self._blocked.matches(sender, peer))

    def decide(self, reverse_path: str, from_address: str, peer: str, *, authenticated: bool) -> SenderDecision:
        """Decides about a received message.

        A blocked sender may match From, MAIL FROM or the IP address. So may an allowed sender; with `require_auth` it
        only matches From, because nothing else is authenticated. A network needs no authentication.

        Args:
            reverse_path, from_address: Addresses; `""` for a null reverse-path, or for a missing or an invalid From.
            authenticated: Whether DMARC passes for From, or a DKIM signature that is aligned with it.
        """
        author, sender = _parse(from_address), _parse(reverse_path)
        allowed = (
            *(
                match
                for match in self._allowed.matches(author, peer)
                if authenticated or not _needs_authentication(match.entry)
            ),
            *(match for match in self._allowed.matches(sender) if not _needs_authentication(match.entry)),
        )
        return _decide(allowed, (*self._blocked.matches(author, peer), *self._blocked.matches(sender)))


def _needs_authentication(entry: AllowEntry) -> bool:
    return entry.require_auth and not is_network(entry.sender)


def _decide(allowed: Iterable[Match[AllowEntry]], blocked: Iterable[Match[BlockEntry]]) -> SenderDecision:
    allow = min(allowed, key=lambda match: match.width, default=None)
    block = min(blocked, key=lambda match: match.width, default=None)
    if allow is None:
        return SenderDecision(blocked=None if block is None else block.entry)
    if block is None or allow.width <= block.width:
        return SenderDecision(allowed=allow.entry, overruled=None if block is None else block.entry)
    return SenderDecision(blocked=block.entry)


def _parse(address: str) -> Mailbox | None:
    try:
        return parse_mailbox(address, local_part_limit=MAX_MAILBOX_BYTES) if address else None
    except AddressError:
        return None
