"""Connection limits of the API. Trusted proxies and Unix sockets are exempt from the limit per address."""

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from structlog.testing import capture_logs

from api.connection_limits import LOG_EVERY, ConnectionLimits
from router.network import parse_address
from tests.support.clock import FakeClock

PROXY = "192.0.2.1"


def make_limits(clock: FakeClock | None = None) -> ConnectionLimits:
    return ConnectionLimits(
        total=10, per_address=3, trusted=[ip_network(f"{PROXY}/32")], monotonic=(clock or FakeClock()).monotonic
    )


def address(text: str) -> IPv4Address | IPv6Address | None:
    return parse_address(text)


@pytest.mark.parametrize(
    ("peers", "admitted"),
    [
        (["203.0.113.1"] * 4, [True, True, True, False]),
        (["203.0.113.1"] * 3 + ["203.0.113.2"], [True] * 4),
        ([f"2001:db8::{n}" for n in range(1, 5)], [True, True, True, False]),
        (["2001:db8::1"] * 3 + ["2001:db8:0:1::1"], [True] * 4),
        (["203.0.113.1"] * 3 + ["::ffff:203.0.113.1"], [True, True, True, False]),
        ([PROXY] * 11, [True] * 10 + [False]),
        ([""] * 11, [True] * 10 + [False]),
    ],
    ids=["address", "another address", "one /64", "another /64", "mapped", "a trusted proxy", "a Unix socket"],
)
def test_admitted_connections(peers: list[str], admitted: list[bool]) -> None:
    limits = make_limits()
    assert [limits.admit(address(peer)) for peer in peers] == admitted


def test_released_connections_leave_no_state() -> None:
    limits = make_limits()
    peers = [address(text) for text in ("203.0.113.1", "203.0.113.1", "2001:db8::1", PROXY, "")]
    for _ in range(100):
        assert all(limits.admit(peer) for peer in peers)
        for peer in peers:
            limits.release(peer)
    assert limits._by_address == {}
    assert limits._open == 0


def test_refusals_are_logged_at_most_once_per_interval() -> None:
    clock = FakeClock()
    limits = make_limits(clock)
    with capture_logs() as lines:
        for _ in range(100):
            limits.admit(address("203.0.113.1"))
        clock.advance(LOG_EVERY)
        limits.admit(address("203.0.113.1"))
    assert [(line["count"], line["peer"], line["limit"]) for line in lines] == [
        (1, "203.0.113.1", 3),
        (97, "203.0.113.1", 3),
    ]
