"""Connections, in all and by network, and mails and log lines a minute by network.

The counts are those of one process: with several smtp processes each allows as many. An address is
counted in networks of three widths (`router.network.network_keys`), each with its own limit, because
one customer often has many addresses. `PeerLimits` only counts; `smtp.policy` and `smtp.admission` choose
the reply.
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
    """A set of networks that answers whether it contains an address; caches recent answers."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = tuple(networks)
        self._contains = lru_cache(maxsize=4096)(self._search)

    def __contains__(self, address: str) -> bool:
        return bool(self._networks) and self._contains(address)

    def _search(self, text: str) -> bool:
        address = parse_address(text)
        return address is not None and any(address in network for network in self._networks)


class PeerLimits:
    """Counts connections, in all and by network, and the mails and log lines a minute of each network.

    The limits by network do not hold for `trusted` addresses.
    """

    def __init__(self, bounds: Bounds, trusted: AddressSet) -> None:
        self._bounds = bounds
        self.trusted = trusted
        self._connections: dict[str, int] = {}  # three networks for each open connection, at most
        self._connection_limits = [bounds.max_connections_per_address * n for n in bounds.network_multiples]
        self._mails = MinuteCounts(bounds.counted_networks)
        self._mail_limits = [bounds.max_mails_per_minute * n for n in bounds.network_multiples]
        self._lines = MinuteCounts(bounds.logged_networks)
        self._line_limits = [bounds.max_log_lines * n for n in bounds.network_multiples]
        self.connection_count = 0

    @property
    def connections_scarce(self) -> bool:
        """Whether connections run out, so that idle ones get less time."""
        return self.connection_count >= self._bounds.max_connections * self._bounds.scarce_connections

    @property
    def connections_exceeded(self) -> bool:
        """Whether the connection that was counted last is one too many."""
        return self.connection_count > self._bounds.max_connections

    def add_connection(self) -> None:
        """Counts a connection, even one that will be refused; `close` is its opposite."""
        self.connection_count += 1

    def remove_connection(self) -> None:
        """The opposite of `open`."""
        self.connection_count -= 1

    def admit(self, address: str) -> str | None:
        """Counts a connection for the networks of its address.

        Returns:
            The network that has too many connections; then nothing is counted. None if none has.
        """
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
        """The opposite of an `admit` that returned None."""
        if address in self.trusted:
            return
        for network in network_keys(address):
            count = self._connections.get(network, 0) - 1
            if count > 0:
                self._connections[network] = count
            else:
                self._connections.pop(network, None)

    def quota_key(self, address: str) -> str | None:
        """What memory for mails is counted by; None for a trusted address."""
        return None if address in self.trusted else address_key(address)

    def count_mail(self, address: str, now: float) -> bool:
        """Counts a mail at `now` (monotonic seconds). False if a network of the address reached its limit."""
        if not self._bounds.max_mails_per_minute or address in self.trusted:
            return True
        return self._mails.add(network_keys(address), self._mail_limits, now)

    def count_log_line(self, address: str, now: float) -> bool:
        """Counts a log line about an address, as `mail` counts a mail. False if it should not be written."""
        return address in self.trusted or self._lines.add(network_keys(address), self._line_limits, now)

    def evict_expired(self, now: float) -> None:
        """Removes the minutes that are over at `now`."""
        self._mails.evict_expired(now)
        self._lines.evict_expired(now)
