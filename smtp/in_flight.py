"""Octets of mails in memory, and of those that are thrown away: whose connection reads on, and whose waits.

The counts are this process's own. Nothing here waits or reads: connections are told to stop and to go on (`Holder`).
Who calls it: `smtp.server` makes the one `InFlight`, `smtp.stream` tells it what it holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

# Waiting for room longer than this only holds the place.
IN_FLIGHT_PATIENCE = 20.0  # seconds; senders wait 3 minutes for a data block to be taken (RFC 5321 4.5.3.2.5)


class Holder(Protocol):
    """A connection that is receiving a mail: it can stop reading, and go on.

    share: the address whose part of the room it uses, as `address_key` has it; None for trusted addresses, which may
    have all of it. It does not change while octets are counted.
    """

    @property
    def share(self) -> str | None: ...

    def hold(self) -> None: ...

    def go_on(self) -> None: ...


@dataclass(slots=True)
class _Large:
    """A large mail that is coming in: its octets so far, and whether its connection waits for room."""

    octets: int
    held: bool = False


class InFlight:
    """Octets of mails in memory, of all connections together and by address.

    When there is no room, every connection with a large mail stops reading. As octets leave, connections go on in the
    order in which their mails became large, as many as there is room for a piece each. Where no whole mail is on its
    way out, the oldest large one does not stop: if all did, each with its part of a mail, nothing would ever leave. For
    it room is kept free, so that `limit` holds: what it may still grow by, but only as far as another of the largest
    mails has room beside it (all of it from a `limit` of two such mails on). The oldest of one address goes on in the
    same way where the others have that address's part of the room, so that whoever fills that stops nobody else. A mail
    up to `SMALL` octets never waits. largest: octets of the largest mail; one always fits.
    """

    SMALL = 65536  # octets
    PIECE = 262144  # octets that one read may bring
    # Of the room for one address: it takes two to fill it, and a busy relay keeps enough for its own large mails.
    SHARE = 0.5
    # What is past a mail's limit is only read to be thrown away. As fast as it comes, mails without an end would leave
    # the good ones no time; 50 MB a second of all together cost a tenth of a core.
    THROWN_AWAY = 50_000_000  # octets a second
    REST = 0.02  # seconds after each piece, with that some 13 MB a second of one connection
    LONGEST_REST = 5.0  # seconds; half of the least time that a command has

    def __init__(self, limit: int, largest: int = 0) -> None:
        self._limit = max(limit, largest)
        self._largest = largest
        self._share_limit = max(int(self._limit * self.SHARE), largest)
        self._large: dict[Holder, _Large] = {}  # the oldest first
        self._held = 0
        self._ending: set[Holder] = set()  # received, their octets still here
        self._by_share: dict[str, int] = {}
        self._resting_until = 0.0
        self.total = 0

    @property
    def room(self) -> int:
        """Octets that large mails may still take, all but the oldest."""
        oldest = next(iter(self._large.values()), None)
        kept = max(min(self._largest - oldest.octets, self._limit - self._largest), 0) if oldest is not None else 0
        return self._limit - self.total - kept

    def take(self, holder: Holder, octets: int, held: int) -> None:
        """Count octets in; `held` is what the connection has in memory then. With no room a large mail stops here."""
        self._count(holder.share, octets)
        self._ending.discard(holder)
        mail = self._large.get(holder)
        if mail is not None:
            mail.octets = held
        elif held > self.SMALL:
            self._large[holder] = _Large(held)
        full = self.room <= 0
        if full or self._room_of(holder.share) <= 0:
            first = self._first() if full else self._first_of(holder.share)
            for other, mail in list(self._large.items()):
                if not mail.held and other is not first and (full or other.share == holder.share):
                    mail.held = True
                    self._held += 1
                    other.hold()

    def release(self, holder: Holder, octets: int) -> None:
        """Count octets of `holder` out and let go on whom there is room for."""
        self._count(holder.share, -octets)
        self._ending.discard(holder)
        if not self._held:
            return
        self._keep_moving(holder.share)
        room = self.room
        promised: dict[str | None, int] = {}
        for other, mail in list(self._large.items()):
            if room <= 0:
                return
            given = promised.get(other.share, 0)
            if mail.held and (given < self._room_of(other.share) or other is self._first_of(other.share)):
                room -= self.PIECE
                promised[other.share] = given + self.PIECE
                self._let_go_on(other, mail)

    def leave(self, holder: Holder) -> None:
        """`holder` does not receive now, or throws away what it gets. Its octets stay counted until `release`."""
        mail = self._large.pop(holder, None)
        if mail is None:
            return
        self._ending.add(holder)
        if mail.held:
            self._held -= 1
            holder.go_on()

    def rest(self, octets: int, now: float) -> float:
        """Seconds until a connection may read on that has just thrown away so many octets. now: monotonic seconds."""
        until = max(self._resting_until, now) + octets / self.THROWN_AWAY
        self._resting_until = min(until, now + self.LONGEST_REST)
        return max(self._resting_until - now, self.REST)

    def _keep_moving(self, share: str | None) -> None:
        for first in (self._first(), self._first_of(share) if self.room > 0 else None):
            if first is not None and (mail := self._large[first]).held:
                self._let_go_on(first, mail)

    def _let_go_on(self, other: Holder, mail: _Large) -> None:
        mail.held = False
        self._held -= 1
        other.go_on()

    def _first(self) -> Holder | None:
        """The oldest large mail, unless it must wait: for room of all or of its address that a whole mail will make."""
        oldest = next(iter(self._large), None)
        if oldest is None or (self._ending and self.total >= self._limit):
            return None
        share = oldest.share
        if share is not None and self._room_of(share) <= 0 and self._is_ending(share):
            return None
        return oldest

    def _first_of(self, share: str | None) -> Holder | None:
        """The same of one address while there is room for others."""
        if share is None or self._is_ending(share):
            return None
        return next((other for other in self._large if other.share == share), None)

    def _is_ending(self, share: str) -> bool:
        return any(other.share == share for other in self._ending)

    def _count(self, share: str | None, octets: int) -> None:
        self.total += octets
        if share is not None:
            counted = self._by_share.get(share, 0) + octets
            if counted:
                self._by_share[share] = counted
            else:
                self._by_share.pop(share, None)

    def _room_of(self, share: str | None) -> int:
        """Octets that connections of this share may still take."""
        return self.room if share is None else self._share_limit - self._by_share.get(share, 0)
