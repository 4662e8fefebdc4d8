"""IP addresses of peers and clients: parsed, and grouped into what counts as one source. Pure."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_WIDER_IPV4_PREFIXES = (26, 21)  # bits: a small customer of a hosting provider, a small provider
_WIDER_IPV6_PREFIXES = (48, 32)  # bits: one site (RFC 6177), one provider


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """The address without its scope; an IPv4-mapped IPv6 address is the IPv4 address. None for any other text."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this host's own for certain (RFC 6761 section 6.3: also below `localhost`)."""
    address = parse_address(host)
    if address is None:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback


@lru_cache(maxsize=4096)
def address_key(text: str) -> str:
    """The key an address is counted by: the IPv4 address or the IPv6 /64, the smallest network of one customer.

    A text that is no address (a Unix socket's peer is `""`) is its own key.
    """
    address = parse_address(text)
    if address is None:
        return text
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address) >> 64 << 64, 64)))
    return str(address)


@lru_cache(maxsize=4096)
def network_keys(text: str) -> tuple[str, ...]:
    """The networks that an address is counted in, the narrowest first: `address_key`, then two wider ones.

    A text that is no address has its own key only.
    """
    address = parse_address(text)
    if address is None:
        return (text,)
    number = int(address)
    if isinstance(address, IPv6Address):
        wider = [str(IPv6Network((number >> 128 - bits << 128 - bits, bits))) for bits in _WIDER_IPV6_PREFIXES]
    else:
        wider = [str(IPv4Network((number >> 32 - bits << 32 - bits, bits))) for bits in _WIDER_IPV4_PREFIXES]
    return (address_key(text), *wider)
