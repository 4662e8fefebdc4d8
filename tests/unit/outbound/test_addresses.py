"""Addresses in and next to special-purpose ranges, and IPv6 forms that embed IPv4."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.outbound.addresses import is_public, non_public_reason

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001:80e::200e",
    "2001:200::1",
    "::ffff:8.8.8.8",
    "::8.8.8.8",
]
NOT_PUBLIC = [
    ("0.0.0.0", "unspecified"),
    ("0.255.255.255", "unspecified"),
    ("10.0.0.1", "private"),
    ("10.255.255.255", "private"),
    ("100.64.0.0", "private (carrier-grade NAT)"),
    ("100.127.255.255", "private (carrier-grade NAT)"),
    ("127.0.0.1", "loopback"),
    ("127.255.255.255", "loopback"),
    ("169.254.169.254", "link-local"),
    ("172.16.0.0", "private"),
    ("172.31.255.255", "private"),
    ("192.0.0.1", "reserved"),
    ("192.0.2.1", "reserved for documentation"),
    ("192.88.99.1", "a 6to4 relay"),
    ("192.168.1.1", "private"),
    ("198.18.0.1", "reserved for benchmarks"),
    ("198.19.255.255", "reserved for benchmarks"),
    ("198.51.100.1", "reserved for documentation"),
    ("203.0.113.1", "reserved for documentation"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.255", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "reserved"),
    ("::", "unspecified"),
    ("::1", "loopback"),
    ("::7f00:1", "loopback"),
    ("::ffff:127.0.0.1", "loopback"),
    ("::ffff:a00:1", "private"),
    ("::ffff:0:10.0.0.1", "private"),
    ("64:ff9b::8.8.8.8", "translated to IPv4 (NAT64)"),
    ("64:ff9b:1::1", "translated to IPv4 (NAT64)"),
    ("100::1", "reserved"),
    ("2001::1", "a Teredo tunnel"),
    ("2001:2::1", "reserved"),
    ("2001:10::1", "reserved"),
    ("2001:db8::1", "reserved for documentation"),
    ("2002:a00:1::1", "a 6to4 tunnel"),
    ("3fff::1", "reserved for documentation"),
    ("4000::1", "reserved"),
    ("5f00::1", "reserved"),
    ("fc00::1", "private"),
    ("fd12:3456::1", "private"),
    ("fe80::1", "link-local"),
    ("fe80::1%eth0", "link-local"),
    ("fec0::1", "private"),
    ("ff02::1", "multicast"),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    assert non_public_reason(address) is None
    assert is_public(ip_address(address))


@pytest.mark.parametrize(("address", "word"), NOT_PUBLIC)
def test_non_public_addresses(address: str, word: str) -> None:
    assert non_public_reason(address) == word
    assert not is_public(ip_address(address))


def test_invalid_address() -> None:
    with pytest.raises(ValueError, match=r"hooks\.slack\.com"):
        is_public("hooks.slack.com")


@given(st.ip_addresses(v=4))
def test_public_ipv4_is_global_for_the_standard_library(address: IPv4Address) -> None:
    assert not is_public(address) or address.is_global


@given(st.ip_addresses(v=6))
def test_public_ipv6_is_global_for_the_standard_library(address: IPv6Address) -> None:
    embedded = int(address) >> 32 in (0, 0xFFFF, 0xFFFF0000)
    assert not is_public(address) or address.is_global or embedded


@given(st.ip_addresses(v=4))
def test_mapped_ipv4_has_the_same_result(address: IPv4Address) -> None:
    assert non_public_reason(IPv6Address(0xFFFF << 32 | int(address))) == non_public_reason(address)
