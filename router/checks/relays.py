"""Recognises hosts that forward mail to this installation, for which SPF says nothing about the sender. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network

from config.values import Network
from router.network import parse_address


class Relays:
    """The relays of `[checks]`, and the networks that `[smtp]` trusts.

    Args:
        entries: Networks, host names, or `.` and a domain for all hosts below it.
        trusted_networks: Further networks.
    """

    def __init__(self, entries: Iterable[str], trusted_networks: Iterable[Network]) -> None:
        self._names: set[str] = set()
        self._domains: set[str] = set()
        self._networks = list(trusted_networks)
        for entry in entries:
            if entry.startswith("."):
                self._domains.add(entry)
            elif "/" in entry:
                self._networks.append(ip_network(entry))
            else:
                self._names.add(entry)

    @property
    def has_names(self) -> bool:
        """Whether the confirmed host name of a client matters."""
        return bool(self._names or self._domains)

    def contains_address(self, peer: str) -> bool:
        address = parse_address(peer)
        return address is not None and any(
            address.version == network.version and address in network for network in self._networks
        )

    def contains_host(self, name: str) -> bool:
        """Whether a host is a relay. `name` must be confirmed by iprev: anyone can claim a name in a PTR record."""
        labels = name.lower().split(".")
        parents = (f".{'.'.join(labels[n:])}" for n in range(1, len(labels)))
        return name.lower() in self._names or any(parent in self._domains for parent in parents)
