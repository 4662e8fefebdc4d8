"""Entries of sender lists: how they are normalised, which senders they match, and which entry is the narrowest. Pure.

From the narrowest to the widest, an entry is one of:

1. an address, `ada@example.com`;
2. `@example.com`: all addresses of the domain;
3. `.example.com`: all addresses of the domain and of the domains below it; more labels are narrower;
4. a network such as `192.0.2.0/24`, which matches the client's IP address; a longer prefix is narrower.

Entries of one kind with the same number of labels or bits are equally narrow, also if they match different addresses of
a message. If entries conflict, the narrowest one decides, so an address beats a domain, and a sender beats a network.
This is the only place that defines the order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Generic, TypeVar

from config.values import SENDER_FORMS, parse_blocked_sender
from router.mail.address import Mailbox, domain_key, local_key
from router.network import parse_address
from router.unicode_security import safe_identifier

E = TypeVar("E")

# Comparable: the kind of the entry, then minus the number of labels or of bits. A smaller value is narrower.
Width = tuple[int, int]
_ADDRESS, _DOMAIN, _SUBDOMAINS, _NETWORK = range(4)
MAX_ENTRY_LENGTH = 320  # characters; the longest address has 254
_ADDRESS_BITS = {4: 32, 6: 128}
_MAPPED_PREFIX_LENGTH = 96  # RFC 4291 section 2.5.5.2


@dataclass(frozen=True, slots=True)
class Match(Generic[E]):
    """An entry that matches."""

    width: Width
    entry: E


def normalize_entry(text: str) -> str:
    """Normalises an entry to `local@domain`, `@domain`, `.domain`, or a network with its prefix length.

    Invisible characters are removed, so that an address with and without them counts as the same sender.

    Raises:
        ValueError: The entry is invalid.
    """
    entry = parse_blocked_sender(text)
    if is_network(entry):
        return entry
    if "@" not in entry and entry.startswith("."):
        return f".{domain_key(entry[1:])}"
    local, _, domain = entry.rpartition("@")
    return f"{safe_identifier(local_key(local))}@{domain_key(domain)}"


def normalize_new_entry(text: str) -> str:
    """Normalises an entry that is added: `@domain` also needs a dot, because a single word is not a domain.

    Earlier versions stored such entries. They stay valid. An address may have the name of a host without a dot.
    """
    entry = normalize_entry(text)
    if entry.startswith("@") and "." not in entry:
        raise ValueError(f"{SENDER_FORMS}; a domain needs a dot")
    return entry


def is_network(entry: str) -> bool:
    """Whether a normalised entry is a network. The local part of an address may have a slash."""
    return "/" in entry and "@" not in entry


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


class SenderList(Generic[E]):
    """Finds the entries that match a sender. The time does not depend on the number of entries.

    Args:
        entries: Maps normalised entries to the values that are returned for them.
    """

    def __init__(self, entries: Iterable[tuple[str, E]]) -> None:
        self._names: dict[str, E] = {}
        label_counts: set[int] = set()
        # Maps IP version and prefix length to a dict that maps the leading bits of each network to its value.
        networks: dict[tuple[int, int], dict[int, E]] = {}
        for text, entry in entries:
            if is_network(text):
                network = _to_ipv4(ip_network(text))
                bits = int(network.network_address) >> (_ADDRESS_BITS[network.version] - network.prefixlen)
                networks.setdefault((network.version, network.prefixlen), {})[bits] = entry
            else:
                self._names[text] = entry
                if "@" not in text:
                    label_counts.add(text.count("."))
        self._label_counts = sorted(label_counts, reverse=True)
        self._networks = sorted(networks.items(), key=lambda item: item[0][1], reverse=True)

    def narrowest(self, sender: Mailbox | None, peer: str = "") -> Match[E] | None:
        return next(self.matches(sender, peer), None)

    def matches(self, sender: Mailbox | None, peer: str = "") -> Iterator[Match[E]]:
        """Yields the entries that match the sender or the client's IP address, the narrowest first.

        Args:
            sender: None if the address is null or invalid.
            peer: The client's IP address, or `""`.
        """
        if sender is not None and sender.domain and self._names:
            for width, name in self._candidates(sender):
                entry = self._names.get(name)
                if entry is not None:
                    yield Match(width, entry)
        address = parse_address(peer) if self._networks else None
        if address is None:
            return
        for (version, length), networks in self._networks:
            if version == address.version:
                entry = networks.get(int(address) >> (_ADDRESS_BITS[version] - length))
                if entry is not None:
                    yield Match((_NETWORK, -length), entry)

    def _candidates(self, sender: Mailbox) -> Iterator[tuple[Width, str]]:
        domain = sender.domain_key
        yield (_ADDRESS, 0), f"{safe_identifier(sender.local_key)}@{domain}"
        yield (_DOMAIN, 0), f"@{domain}"
        if self._label_counts and not domain.startswith("["):  # an address literal has no labels
            labels = domain.split(".")
            for count in self._label_counts:
                if count <= len(labels):
                    yield (_SUBDOMAINS, -count), f".{'.'.join(labels[-count:])}"
