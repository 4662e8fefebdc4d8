"""Parses IP addresses, and groups them into networks that count as one client. Pure."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

# docs/decisions/0031-smtp-slots.md
_WIDER_IPV4_PREFIXES = (26, 21)
_WIDER_IPV6_PREFIXES = (48, 32)


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Parses an IP address; returns None for any other text.

    A zone identifier such as `%eth0` is removed, and an IPv4-mapped IPv6 address becomes an IPv4 address.
    """
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def is_loopback(host: str) -> bool:
    """Returns whether the host is a loopback address, `localhost`, or a name below `localhost` (RFC 6761 6.3)."""
    address = parse_address(host)
    if address is None:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback


@lru_cache(maxsize=4096)
def address_key(text: str) -> str:
    """Returns the key of a client: its IPv4 address or its IPv6 /64.

    Other texts, such as the `""` of a Unix socket, are returned unchanged.
    """
    address = parse_address(text)
    if address is None:
        return text
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address) >> 64 << 64, 64)))
    return str(address)


@lru_cache(maxsize=4096)
def network_keys(text: str) -> tuple[str, ...]:
    """Returns `address_key(text)`, then the wider networks of an IP address, narrowest first."""
    address = parse_address(text)
    if address is None:
        return (text,)
    number = int(address)
    if isinstance(address, IPv6Address):
        wider = [str(IPv6Network((number >> 128 - bits << 128 - bits, bits))) for bits in _WIDER_IPV6_PREFIXES]
    else:
        wider = [str(IPv4Network((number >> 32 - bits << 32 - bits, bits))) for bits in _WIDER_IPV4_PREFIXES]
    return (address_key(text), *wider)
