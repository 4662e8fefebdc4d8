"""What one process of the SMTP door takes on at once: connections, in all and by address, and mails a minute.

The counts are this process's own: with several smtp processes each allows as much. An address is one IPv4 address or
one IPv6 /64, which is what one customer gets; an IPv4 address mapped into IPv6 is the IPv4 address. `Limits`
never waits and never speaks: it says what is the case, `smtp.policy` knows the reply. Who calls it: `smtp.server` makes
it, `smtp.session` asks. Octets of mails are counted in `smtp.in_flight`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from router.network import address_key, parse_address

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_MINUTE = 60.0  # seconds
# From this share of `max_connections` on, waiting for a command is a luxury: the patience below holds instead.
_PRESSED = 0.8
SHORT_COMMAND_TIMEOUT = 10.0  # seconds


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
