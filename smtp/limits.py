"""Connections, in all and by address, and mails a minute by address.

The counts are those of one process: with several smtp processes each allows as many. An address is
one IPv4 address or one IPv6 /64, which is what one customer gets; an IPv4 address mapped into IPv6
is the IPv4 address. `Limits` only counts; `smtp.policy` and `smtp.admission` choose the reply.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from router.network import address_key, parse_address
from smtp.bounds import Bounds

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_MINUTE = 60.0  # seconds


class AddressSet:
    """A set of networks that answers whether it contains an address; caches recent answers."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = tuple(networks)
        self._lookup = lru_cache(maxsize=4096)(self._search)

    def __contains__(self, address: str) -> bool:
        return bool(self._networks) and self._lookup(address)

    def _search(self, text: str) -> bool:
        address = parse_address(text)
        return address is not None and any(address in network for network in self._networks)


class Limits:
    """Counts connections, in all and by address, and the mails a minute of each address.

    The limits by address do not hold for `trusted` addresses. A minute starts with the first mail.
    """

    def __init__(self, bounds: Bounds, trusted: AddressSet) -> None:
        self._bounds = bounds
        self.trusted = trusted
        self._connections: dict[str, int] = {}
        self._mails: dict[str, tuple[float, int]] = {}
        self.total = 0

    @property
    def scarce(self) -> bool:
        """Whether connections run out, so that idle ones get less time."""
        return self.total >= self._bounds.max_connections * self._bounds.scarce_connections

    @property
    def over(self) -> bool:
        """Whether the connection that was counted last is one too many."""
        return self.total > self._bounds.max_connections

    def open(self) -> None:
        """Counts a connection, even one that will be refused; `close` is its opposite."""
        self.total += 1

    def close(self) -> None:
        """The opposite of `open`."""
        self.total -= 1

    def admit(self, address: str) -> bool:
        """Counts a connection for its address. False, and not counted, if that has too many."""
        if address in self.trusted:
            return True
        key = address_key(address)
        count = self._connections.get(key, 0)
        if count >= self._bounds.max_connections_per_address:
            return False
        self._connections[key] = count + 1
        return True

    def leave(self, address: str) -> None:
        """The opposite of an `admit` that returned True."""
        if address in self.trusted:
            return
        key = address_key(address)
        count = self._connections.get(key, 0) - 1
        if count > 0:
            self._connections[key] = count
        else:
            self._connections.pop(key, None)

    def quota_key(self, address: str) -> str | None:
        """What memory for mails is counted by; None for a trusted address."""
        return None if address in self.trusted else address_key(address)

    def mail(self, address: str, now: float) -> bool:
        """Counts a mail at `now` (monotonic seconds). False if the address reached its limit."""
        limit = self._bounds.max_mails_per_minute
        if not limit or address in self.trusted:
            return True
        key = address_key(address)
        started, count = self._mails.get(key, (now, 0))
        if now - started >= _MINUTE:
            started, count = now, 0
        if count >= limit:
            return False
        self._mails[key] = (started, count + 1)
        return True

    def forget(self, now: float) -> None:
        """Removes the minutes that are over at `now`; called regularly, it bounds the memory."""
        self._mails = {key: entry for key, entry in self._mails.items() if now - entry[0] < _MINUTE}
