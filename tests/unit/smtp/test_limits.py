"""Limits for clients and their networks, and the bounded tables that count them."""

import itertools
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtp.bounds import Bounds
from smtp.limits import AddressSet, PeerLimits
from smtp.minute_counts import MinuteCounts
from tests.support.smtp_doubles import make_bounds

TRUSTED = AddressSet([ip_network("10.0.0.0/8")])
# Addresses of one client (a /64 in IPv6), of its network, and of its wide network; then an address outside.
IPV4 = (
    ["192.0.2.1"],
    [f"192.0.2.{n}" for n in range(2, 64)],
    [f"192.0.{n}.1" for n in (0, 1, 3, 4, 5, 6, 7)],
    "192.0.8.1",
)
IPV6 = (
    [f"2001:db8::{n:x}" for n in range(9)],
    [f"2001:db8:0:{n:x}::1" for n in range(1, 99)],
    [f"2001:db8:{n:x}::1" for n in range(1, 99)],
    "2001:db9::1",
)


@pytest.mark.parametrize(("one", "near", "wide", "other"), [IPV4, IPV6], ids=["IPv4", "IPv6"])
def test_three_networks_have_1_3_and_9_times_the_limit(
    one: list[str], near: list[str], wide: list[str], other: str
) -> None:
    limits = PeerLimits(make_bounds(max_connections_per_address=2, max_mails_per_minute=2), TRUSTED)
    admitted = []
    for addresses in (one, near, wide):
        tries = itertools.islice(itertools.cycle(addresses), 200)
        admitted.append([address for address in tries if limits.admit(address) is None])
    assert [len(group) for group in admitted] == [2, 4, 12]
    assert limits.admit(other) is None
    for address in itertools.chain(*admitted, [other]):
        limits.release(address)
    assert not limits._connections
    mails = [sum(limits.count_mail(address, 0.0) for address in addresses * 40) for addresses in (one, near, wide)]
    assert mails == [2, 4, 12]
    assert limits.count_mail(other, 0.0)


def test_rejected_connection_is_not_counted_and_its_network_is_returned() -> None:
    limits = PeerLimits(make_bounds(max_connections_per_address=1), TRUSTED)
    assert [limits.admit(f"2001:db8:0:{n}::1") for n in range(4)] == [None, None, None, "2001:db8::/48"]
    assert limits.admit("2001:db8::2") == "2001:db8::/64"
    assert limits._connections["2001:db8::/48"] == 3


def test_trusted_addresses_and_unix_sockets() -> None:
    limits = PeerLimits(make_bounds(max_connections_per_address=1, max_mails_per_minute=1), TRUSTED)
    assert [limits.admit("10.0.0.1") for _ in range(20)] == [None] * 20
    assert all(limits.count_mail("10.0.0.1", 0.0) for _ in range(20))
    limits.release("10.0.0.1")
    assert not limits._connections
    assert [limits.admit("") for _ in range(2)] == [None, ""]


def test_mails_per_minute() -> None:
    limits = PeerLimits(make_bounds(max_mails_per_minute=2), AddressSet([]))
    assert [limits.count_mail("192.0.2.1", now) for now in (0.0, 30.0, 59.9, 60.0)] == [True, True, False, True]
    assert limits.count_mail("192.0.2.200", 60.0)
    limits.evict_expired(1000.0)
    assert limits.count_mail("192.0.2.1", 1000.0)


def test_log_events_of_an_address_are_limited() -> None:
    limits = PeerLimits(make_bounds(max_mails_per_minute=0), TRUSTED)
    lines = [limits.count_log_line(f"192.0.2.{n % 2}", 0.0) for n in range(2000)]
    assert sum(lines) == 2 * Bounds.max_log_lines
    assert limits.count_log_line("198.51.100.1", 0.0)
    assert limits.count_log_line("192.0.2.1", 60.0)
    assert all(limits.count_log_line("10.0.0.1", 0.0) for _ in range(1000))


def recorded_count(rates: MinuteCounts, network: str) -> int:
    return rates._minutes.get(network, (0.0, 0))[1]


def add_counts(rates: MinuteCounts, network: str, now: float, times: int = 1) -> list[bool]:
    return [rates.add([network], [1000], now) for _ in range(times)]


def test_full_table_keeps_the_largest_counts() -> None:
    rates = MinuteCounts(100)
    add_counts(rates, "attacker", 0.0, times=3)
    for n in range(1000):
        add_counts(rates, f"other {n}", 1.0)
        assert len(rates._minutes) <= 100
    assert recorded_count(rates, "attacker") == 3
    assert not rates.add(["new", "attacker"], [3, 3], 1.0)
    rates.evict_expired(60.0)
    assert (recorded_count(rates, "attacker"), recorded_count(rates, "new"), recorded_count(rates, "other 999")) == (
        0,
        0,
        1,
    )


def test_full_table_evicts_expired_counts_first() -> None:
    rates = MinuteCounts(4)
    for n in range(4):
        add_counts(rates, f"old {n}", 0.0, times=9)
    for n in range(4):
        add_counts(rates, f"new {n}", 60.0)
    assert [recorded_count(rates, f"new {n}") for n in range(4)] == [1] * 4


@given(st.lists(st.sampled_from("abcdef"), max_size=60))
def test_counts_are_exact_while_the_table_is_not_full(added: list[str]) -> None:
    rates = MinuteCounts(6)
    for network in added:
        add_counts(rates, network, 0.0)
    assert {network: recorded_count(rates, network) for network in "abcdef"} == {n: added.count(n) for n in "abcdef"}
