"""Rejected recipients and connections: exact counts, few log events, and the reply past the limit."""

from collections import Counter

import pytest
from structlog.testing import capture_logs

from router.meter import NullMeter
from smtp import policy, replies
from smtp.bounds import Bounds
from smtp.refusals import NetworkRefusals, Refusals
from smtp.replies import Reply
from tests.support.smtp_doubles import make_bounds


class CountingMeter(NullMeter):
    def __init__(self) -> None:
        self.reasons: Counter[str] = Counter()

    def record_refusal(self, reason: str) -> None:
        self.reasons[reason] += 1


def test_one_event_has_all_counts_and_some_recipients() -> None:
    meter, refusals = CountingMeter(), Refusals()
    with capture_logs() as logs:
        for n in range(30_000):
            refusals.add(meter, replies.NO_SUCH_ALIAS, f"user{n}@example.com", reverse_path="a@client.test")
        refusals.add(meter, replies.RELAY_DENIED, "x@elsewhere.example", reverse_path="a@client.test")
        refusals.log("192.0.2.1")
        assert not refusals
    counts = {"no_such_alias": 30_000, "relay_denied": 1}
    assert logs == [
        {
            "event": "smtp.refused",
            "log_level": "info",
            "peer": "192.0.2.1",
            "reverse_path": "a@client.test",
            "reason": replies.NO_SUCH_ALIAS.text,
            "refused_recipients": [f"user{n}@example.com" for n in range(Bounds.logged_recipients)],
            "count": 30_001,
            "reasons": counts,
        }
    ]
    assert meter.reasons == counts


def test_logging_resets_the_counts() -> None:
    refusals = Refusals()
    with capture_logs() as logs:
        refusals.add(CountingMeter(), replies.NO_SUCH_ALIAS, "a@example.com")
        refusals.log("")
        refusals.add(CountingMeter(), replies.TOO_LARGE, size=9)
        refusals.log("")
    assert [(line["count"], line.get("size"), "refused_recipients" in line) for line in logs] == [
        (1, None, True),
        (1, 9, False),
    ]


def test_rejected_connections_of_a_network_are_two_events() -> None:
    meter, connections = CountingMeter(), NetworkRefusals()
    refused = replies.TOO_MANY_FROM_ADDRESS
    with capture_logs() as logs:
        for n in range(1000):
            connections.add_connection(meter, refused, f"192.0.2.{n % 64}", "192.0.2.0/26")
        connections.add_connection(meter, refused, "203.0.113.1", "203.0.113.1")
        connections.log()
        connections.log()
    assert [(line["network"], line.get("peer"), line["count"]) for line in logs] == [
        ("192.0.2.0/26", "192.0.2.0", 1),
        ("203.0.113.1", "203.0.113.1", 1),
        ("192.0.2.0/26", None, 999),
    ]
    assert meter.reasons == {"too_many_from_address": 1001}


def test_networks_past_the_bound_share_an_event() -> None:
    meter, connections = CountingMeter(), NetworkRefusals()
    with capture_logs() as logs:
        for n in range(2 * Bounds.logged_networks):
            connections.add_connection(meter, replies.TOO_MANY_FROM_ADDRESS, "2001:db8::1", f"2001:db8:{n:x}::/48")
        connections.log()
    assert len(logs) == Bounds.logged_networks + 2
    assert sum(line["count"] for line in logs) == meter.reasons.total()


def test_failed_handshakes_and_unlogged_transactions_are_counted() -> None:
    meter, networks = CountingMeter(), NetworkRefusals()
    with capture_logs() as logs:
        for _ in range(1000):
            networks.add_handshake("2001:db8::1", "wrong version number")
            refusals = Refusals()
            refusals.add(meter, replies.NO_SUCH_ALIAS, "a@example.com")
            refusals.add(meter, replies.RELAY_DENIED, "a@elsewhere.example")
            refusals.log("2001:db8::1", networks)
        networks.log()
        networks.log()
    assert [(line["event"], line["network"], line["reason"], line["count"]) for line in logs] == [
        ("smtp.tls_failed", "2001:db8::/64", "wrong version number", 1),
        ("smtp.refused", "2001:db8::/64", replies.NO_SUCH_ALIAS.text, 2000),
        ("smtp.tls_failed", "2001:db8::/64", "wrong version number", 999),
    ]
    assert meter.reasons == {"no_such_alias": 1000, "relay_denied": 1000}


@pytest.mark.parametrize(
    ("reply", "limit", "count", "expected"),
    [
        (replies.NO_SUCH_ALIAS, 100, 100, replies.NO_SUCH_ALIAS),
        (replies.NO_SUCH_ALIAS, 100, 101, replies.TOO_MANY_REFUSED),
        (replies.DOMAIN_PENDING, 1, 2, replies.TOO_MANY_REFUSED),
        # With max_recipients = 1, 99 of 100 recipients get 452, and the session continues.
        (replies.TOO_MANY_RECIPIENTS, 1, 99, replies.TOO_MANY_RECIPIENTS),
        (replies.TOO_MANY_RECIPIENTS, 1, 101, replies.TOO_MANY_REFUSED),
        (replies.TOO_MANY_RECIPIENTS, 1000, 1000, replies.TOO_MANY_RECIPIENTS),
        (replies.TOO_MANY_RECIPIENTS, 1000, 1001, replies.TOO_MANY_REFUSED),
    ],
)
def test_reply_to_a_rejected_recipient_past_the_limit(reply: Reply, limit: int, count: int, expected: Reply) -> None:
    assert policy.refused_recipient_reply(reply, count, make_bounds(max_recipients=limit)) is expected
