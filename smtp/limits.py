"""Limits for connections in total, and for connections, messages and log events by network.

Each process counts separately. An address counts towards each of its networks
(`router.network.network_keys`), because one customer may have many addresses.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from router.network import address_key, network_keys, parse_address
from smtp.bounds import Bounds
from smtp.minute_counts import MinuteCounts

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class AddressSet:
    """A set of networks that caches recent lookups of addresses."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = tuple(networks)
        self._contains = lru_cache(maxsize=4096)(self._search)

    def __contains__(self, address: str) -> bool:
        return bool(self._networks) and self._contains(address)

    def _search(self, text: str) -> bool:
        address = parse_address(text)
        return address is not None and any(address in network for network in self._networks)


class PeerLimits:
    """Counts connections in total, and connections, messages and log events by network.

    The limits by network do not apply to `trusted` addresses.
    """

    def __init__(self, bounds: Bounds, trusted: AddressSet) -> None:
        self._bounds = bounds
        self.trusted = trusted
        self._connections: dict[str, int] = {}  # at most three entries for each open connection
        self._connection_limits = [bounds.max_connections_per_address * n for n in bounds.network_multiples]
        self._mails = MinuteCounts(bounds.counted_networks)
        self._mail_limits = [bounds.max_mails_per_minute * n for n in bounds.network_multiples]
        self._lines = MinuteCounts(bounds.logged_networks)
        self._line_limits = [bounds.max_log_lines * n for n in bounds.network_multiples]
        self.connection_count = 0

    @property
    def connections_scarce(self) -> bool:
        """Whether so many connections are open that the command timeout becomes shorter."""
        return self.connection_count >= self._bounds.max_connections * self._bounds.scarce_connections

    @property
    def connections_exceeded(self) -> bool:
        return self.connection_count > self._bounds.max_connections

    def add_connection(self) -> None:
        """Counts a connection, even one that will be rejected."""
        self.connection_count += 1

    def remove_connection(self) -> None:
        self.connection_count -= 1

    def admit(self, address: str) -> str | None:
        """Returns the network whose limit is reached. Otherwise, counts the connection and returns None."""
        if address in self.trusted:
            return None
        counts, networks = self._connections, network_keys(address)
        for network, limit in zip(networks, self._connection_limits, strict=False):
            if counts.get(network, 0) >= limit:
                return network
        for network in networks:
            counts[network] = counts.get(network, 0) + 1
        return None

    def release(self, address: str) -> None:
        """Reverts a call of `admit` that returned None."""
        if address in self.trusted:
            return
        for network in network_keys(address):
            count = self._connections.get(network, 0) - 1
            if count > 0:
                self._connections[network] = count
            else:
                self._connections.pop(network, None)

    def quota_key(self, address: str) -> str | None:
        """Returns the key of the address in the memory quota, or None for a trusted address."""
        return None if address in self.trusted else address_key(address)

    def count_mail(self, address: str, now: float) -> bool:
        """Counts MAIL at `now` (monotonic seconds). If a limit is reached, returns False without counting."""
        if not self._bounds.max_mails_per_minute or address in self.trusted:
            return True
        return self._mails.add(network_keys(address), self._mail_limits, now)

    def count_log_line(self, address: str, now: float) -> bool:
        """Counts a log event about an address. Returns False if the event must be omitted."""
        return address in self.trusted or self._lines.add(network_keys(address), self._line_limits, now)

    def evict_expired(self, now: float) -> None:
        self._mails.evict_expired(now)
        self._lines.evict_expired(now)
