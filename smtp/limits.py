"""What one process of the SMTP door takes on at once: connections, mails a minute, octets in flight.

The counts are this process's own: with several smtp processes each allows as much. An address is one IPv4 address or
one IPv6 /64, which is what one customer gets; an IPv4 address mapped into IPv6 is the IPv4 address. `Limits` and
`InFlight` never wait and never speak: they say what is the case, `smtp.policy` knows the reply. Who calls them:
`smtp.server` makes them, `smtp.session` asks, `smtp.stream` registers what it holds.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, Protocol

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_MINUTE = 60.0  # seconds
# From this share of `max_connections` on, waiting for a command is a luxury: the patience below holds instead.
_PRESSED = 0.8
SHORT_COMMAND_TIMEOUT = 10.0  # seconds
# Waiting for room longer than this only holds the place.
IN_FLIGHT_PATIENCE = 20.0  # seconds; senders wait 3 minutes for a data block to be taken (RFC 5321 4.5.3.2.5)


@lru_cache(maxsize=4096)
def parse_address(text: str) -> Address | None:
    """The address of a peer; None where there is none, as on a Unix socket."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


@lru_cache(maxsize=4096)
def address_key(text: str) -> str:
    """What an address is counted by: the IPv4 address, or the IPv6 /64."""
    address = parse_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))
    return str(address)


class AddressSet:
    """Networks, asked for an address; the answers for recent addresses are remembered."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = tuple(networks)
        self._lookup = lru_cache(maxsize=4096)(self._search)

    def __contains__(self, address: str) -> bool:
        return bool(self._networks) and self._lookup(address)

    def _search(self, text: str) -> bool:
        address = parse_address(text)
        return address is not None and any(address in network for network in self._networks)


class Limits:
    """Connections in all and by address, mails a minute by address; `trusted` addresses are free of the latter two.

    mails_per_minute: 0 is unlimited. A minute begins with an address's first mail.
    """

    def __init__(self, *, connections: int, per_address: int, mails_per_minute: int, trusted: AddressSet) -> None:
        self._max_connections = connections
        self._max_per_address = per_address
        self._max_mails = mails_per_minute
        self.trusted = trusted
        self._connections: dict[str, int] = {}
        self._mails: dict[str, tuple[float, int]] = {}
        self.total = 0

    @property
    def pressed(self) -> bool:
        """Whether connections run out, so that idle ones are given less time."""
        return self.total >= self._max_connections * _PRESSED

    @property
    def over(self) -> bool:
        """Whether the connection counted in last is one too many."""
        return self.total > self._max_connections

    def open(self) -> None:
        """Count a connection in; every one is counted out by `close`, also one that is refused right away."""
        self.total += 1

    def close(self) -> None:
        """Count a connection out."""
        self.total -= 1

    def admit(self, address: str) -> bool:
        """Count a connection to its address; False where the address has as many as it may. Then it is not counted."""
        if address in self.trusted:
            return True
        key = address_key(address)
        count = self._connections.get(key, 0)
        if count >= self._max_per_address:
            return False
        self._connections[key] = count + 1
        return True

    def leave(self, address: str) -> None:
        """The opposite of an `admit` that said True."""
        if address in self.trusted:
            return
        key = address_key(address)
        count = self._connections.get(key, 0) - 1
        if count > 0:
            self._connections[key] = count
        else:
            self._connections.pop(key, None)

    def mail(self, address: str, now: float) -> bool:
        """Count a mail that begins; False where the address had its share of this minute. now: monotonic seconds."""
        if not self._max_mails or address in self.trusted:
            return True
        key = address_key(address)
        began, count = self._mails.get(key, (now, 0))
        if now - began >= _MINUTE:
            began, count = now, 0
        if count >= self._max_mails:
            return False
        self._mails[key] = (began, count + 1)
        return True

    def forget(self, now: float) -> None:
        """Drop the minutes that are over; the server calls it now and then, so that memory stays bounded."""
        self._mails = {key: entry for key, entry in self._mails.items() if now - entry[0] < _MINUTE}


class Holder(Protocol):
    """A connection that is receiving a mail: it can stop reading, and go on.

    share: the address whose part of the room it uses, as `address_key` has it; None for trusted addresses, which may
    have all of it. It does not change while octets are counted.
    """

    @property
    def share(self) -> str | None: ...

    def hold(self) -> None: ...

    def go_on(self) -> None: ...


class InFlight:
    """Octets of mails in memory, of all connections together and by address.

    When they reach `limit`, every connection with a large mail stops reading. As octets leave, connections go on in the
    order in which their mails became large, as many as there is room for a piece each. Where no whole mail is on its
    way out, the oldest large one does not stop: if all did, each with its part of a mail, nothing would ever leave. The
    same holds for the connections of one address when they have its part of the room, so that whoever fills that stops
    nobody else. A mail up to `SMALL` octets never waits. largest: octets of the largest mail; one always fits.
    """

    SMALL = 65536  # octets
    PIECE = 262144  # octets that one read may bring
    # Of the room for one address: it takes two to fill it, and a busy relay keeps enough for its own large mails.
    SHARE = 0.5

    def __init__(self, limit: int, largest: int = 0) -> None:
        self._limit = max(limit, largest)
        self._share_limit = max(int(self._limit * self.SHARE), largest)
        self._large: dict[Holder, Literal["reading", "held"]] = {}
        self._held = 0
        self._ending: set[Holder] = set()  # received, their octets still here
        self._by_share: dict[str, int] = {}
        self.total = 0

    @property
    def full(self) -> bool:
        """Whether no large mail may be read on."""
        return self.total >= self._limit

    def take(self, holder: Holder, octets: int, held: int) -> None:
        """Count octets in; `held` is what the connection has in memory then. With no room a large mail stops here."""
        self._count(holder.share, octets)
        self._ending.discard(holder)
        if held > self.SMALL and holder not in self._large:
            self._large[holder] = "reading"
        full = self.full
        if full or self._room_of(holder.share) <= 0:
            first = self._first_of(None if full else holder.share)
            for other, state in list(self._large.items()):
                if state == "reading" and other is not first and (full or other.share == holder.share):
                    self._large[other] = "held"
                    self._held += 1
                    other.hold()

    def release(self, holder: Holder, octets: int) -> None:
        """Count octets of `holder` out and let go on whom there is room for."""
        self._count(holder.share, -octets)
        self._ending.discard(holder)
        if not self._held:
            return
        room = self._limit - self.total
        promised: dict[str | None, int] = {}
        self._keep_moving(holder.share)
        for other, state in list(self._large.items()):
            if room <= 0:
                return
            given = promised.get(other.share, 0)
            if state == "held" and given < self._room_of(other.share):
                room -= self.PIECE
                promised[other.share] = given + self.PIECE
                self._let_go_on(other)

    def leave(self, holder: Holder) -> None:
        """`holder` does not receive now, or throws away what it gets. Its octets stay counted until `release`."""
        state = self._large.pop(holder, None)
        if state is None:
            return
        self._ending.add(holder)
        if state == "held":
            self._held -= 1
            holder.go_on()

    def _keep_moving(self, share: str | None) -> None:
        """The oldest large mail never waits, nor the oldest of a share while there is room for others."""
        for first in (self._first_of(None), None if self.full else self._first_of(share)):
            if first is not None and self._large[first] == "held":
                self._let_go_on(first)

    def _let_go_on(self, other: Holder) -> None:
        self._large[other] = "reading"
        self._held -= 1
        other.go_on()

    def _first_of(self, share: str | None) -> Holder | None:
        """The oldest large mail, of all or of one share, that must not wait: no whole mail there will make room."""
        if any(share is None or other.share == share for other in self._ending):
            return None
        return next((other for other in self._large if share is None or other.share == share), None)

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
        return self._limit - self.total if share is None else self._share_limit - self._by_share.get(share, 0)
