"""Decides which IP addresses are public, for connections to URLs that users configure. Pure.

`ipaddress.is_global` is not used: it differs between Python versions, and in some it is true for multicast addresses,
and for NAT64 and 6to4 addresses, which can lead to private hosts.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

# Non-public networks, mostly from the registries of RFC 6890, with the reason shown to users.
_NON_PUBLIC_IPV4: tuple[tuple[IPv4Network, str], ...] = tuple(
    (IPv4Network(network), reason)
    for network, reason in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "private (carrier-grade NAT)"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "reserved for documentation"),
        ("192.88.99.0/24", "a 6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "reserved for benchmarks"),
        ("198.51.100.0/24", "reserved for documentation"),
        ("203.0.113.0/24", "reserved for documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
# The first match counts: specific networks come before the ranges that contain them.
_NON_PUBLIC_IPV6: tuple[tuple[IPv6Network, str], ...] = tuple(
    (IPv6Network(network), reason)
    for network, reason in (
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("64:ff9b::/96", "translated to IPv4 (NAT64)"),
        ("64:ff9b:1::/48", "translated to IPv4 (NAT64)"),
        ("2001::/32", "a Teredo tunnel"),
        ("2001::/23", "reserved"),  # such as benchmarks and ORCHID
        ("2001:db8::/32", "reserved for documentation"),
        ("2002::/16", "a 6to4 tunnel"),
        ("3fff::/20", "reserved for documentation"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "private"),
        ("ff00::/8", "multicast"),
    )
)
_GLOBAL_UNICAST = IPv6Network("2000::/3")
# IPv4-mapped, IPv4-translated (SIIT) and IPv4-compatible networks: the last 32 bits are the IPv4 address to check.
_IPV4_EMBEDDING = tuple(IPv6Network(network) for network in ("::ffff:0:0/96", "::ffff:0:0:0/96", "::/96"))


def non_public_reason(ip: IPv4Address | IPv6Address | str) -> str | None:
    """Returns why the address is not public (`private`, `loopback`, ...), or None if it is public.

    Raises:
        ValueError: `ip` is not an IP address.
    """
    address = ip_address(ip) if isinstance(ip, str) else ip
    if isinstance(address, IPv4Address):
        return next((reason for network, reason in _NON_PUBLIC_IPV4 if address in network), None)
    unscoped = IPv6Address(int(address))  # fe80::1%eth0 is fe80::1
    for network, reason in _NON_PUBLIC_IPV6:
        if unscoped in network:
            return reason
    if any(unscoped in network for network in _IPV4_EMBEDDING):
        return non_public_reason(IPv4Address(int(unscoped) & 0xFFFFFFFF))
    return None if unscoped in _GLOBAL_UNICAST else "reserved"


def is_public(ip: IPv4Address | IPv6Address | str) -> bool:
    return non_public_reason(ip) is None
