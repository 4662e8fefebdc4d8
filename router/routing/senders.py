"""Normalises blocked senders, and matches senders and clients against them in constant time. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network

from config.values import parse_blocked_sender
from router.mail.address import Mailbox, domain_key, local_key
from router.network import parse_address
from router.unicode_security import safe_identifier

_ADDRESS_BITS = {4: 32, 6: 128}
_MAPPED_PREFIX_LENGTH = 96  # RFC 4291 section 2.5.5.2


def normalize_entry(text: str) -> str:
    """Normalises an entry to `local@domain`, `@domain`, or a network with its prefix length.

    Invisible characters are removed, so that an address with and without them counts as the same sender.

    Raises:
        ValueError: The entry is invalid.
    """
    entry = parse_blocked_sender(text)
    if "/" in entry:
        return entry
    local, _, domain = entry.rpartition("@")
    return f"{safe_identifier(local_key(local))}@{domain_key(domain)}"


def _to_ipv4(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    """Converts an IPv4-mapped IPv6 network to an IPv4 network, as `parse_address` converts an address.

    Other networks are returned unchanged.
    """
    if (
        isinstance(network, IPv4Network)
        or network.network_address.ipv4_mapped is None
        or network.prefixlen < _MAPPED_PREFIX_LENGTH
    ):
        return network
    return IPv4Network((network.network_address.ipv4_mapped, network.prefixlen - _MAPPED_PREFIX_LENGTH))


class BlockedSenderSet:
    """A set of normalised entries."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._names: set[str] = set()
        # Maps IP version and prefix length to a dict that maps the leading bits of each network to its entry.
        self._networks: dict[tuple[int, int], dict[int, str]] = {}
        for entry in entries:
            if "/" in entry and "@" not in entry:
                network = _to_ipv4(ip_network(entry))
                bits = int(network.network_address) >> (_ADDRESS_BITS[network.version] - network.prefixlen)
                self._networks.setdefault((network.version, network.prefixlen), {})[bits] = entry
            else:
                self._names.add(entry)

    def matching_entry(self, sender: Mailbox | None, peer: str = "") -> str | None:
        """Returns the entry that blocks the sender or the client's IP address; None if neither is blocked.

        Args:
            sender: The reverse-path; None if it is null or invalid.
            peer: The client's IP address, or `""`.
        """
        if sender is not None and sender.domain:
            domain = sender.domain_key
            for candidate in (f"{safe_identifier(sender.local_key)}@{domain}", f"@{domain}"):
                if candidate in self._names:
                    return candidate
        address = parse_address(peer) if self._networks else None
        if address is None:
            return None
        for (version, length), networks in self._networks.items():
            if version == address.version:
                entry = networks.get(int(address) >> (_ADDRESS_BITS[version] - length))
                if entry is not None:
                    return entry
        return None
