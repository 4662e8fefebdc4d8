"""Formatting of sizes and times, and the summary of what needs attention."""

import html
import re

import pytest

from api.dashboard import field_labels, formatting
from router.admin.installation.attention import MAX_COUNTED, AttentionCounts
from router.clock import SECOND
from router.errors import Refused
from router.local_time import LocalTime

NOW = 1_900_000_000 * SECOND


@pytest.mark.parametrize(
    ("nbytes", "expected"),
    [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1 kB"), (1_440_000, "1.44 MB"), (2 * 10**9, "2 GB")],
)
def test_sizes(nbytes: int, expected: str) -> None:
    assert formatting.format_size(nbytes) == expected


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "just now"),
        (59, "just now"),
        (60, "1 minute ago"),
        (7200, "2 hours ago"),
        (86_400, "1 day ago"),
        (31 * 86_400, "31 days ago"),
        (32 * 86_400, "13 Feb 2030"),
    ],
)
def test_relative_times(seconds: int, shown: str) -> None:
    assert formatting.relative_time(NOW - seconds * SECOND, NOW) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "now"), (59, "in less than a minute"), (60, "in 1 minute"), (3599, "in 59 minutes"), (7200, "in 2 hours")],
)
def test_times_until(seconds: int, shown: str) -> None:
    assert formatting.time_until(NOW + seconds * SECOND, NOW) == shown


@pytest.mark.parametrize(
    ("timezone", "hours", "shown"),
    [
        ("UTC", 0, "Today, 17 Mar"),
        ("UTC", 18, "Yesterday, 16 Mar"),
        ("Pacific/Auckland", 7, "Yesterday, 17 Mar"),
        ("UTC", 42, "15 Mar 2030"),
    ],
)
def test_headings_of_days(timezone: str, hours: int, shown: str) -> None:
    assert formatting.day_heading(NOW - hours * 3600 * SECOND, NOW, LocalTime(timezone)) == shown


@pytest.mark.parametrize(
    ("message", "field", "shown"),
    [
        ("add must not be empty", "add", "Tag must not be empty"),
        ("name must not be empty", "name", "Name must not be empty"),
        ("Thread ID must be a number", "threadId", "Thread ID must be a number"),
        ("name is a word", None, "name is a word"),
        ("role must not exceed the user's role", "role", "role must not exceed the user's role"),
    ],
)
def test_errors_name_the_label_of_the_field(message: str, field: str | None, shown: str) -> None:
    assert field_labels.error_text(Refused("invalid_request", message, field)) == shown


def test_attention_summary() -> None:
    assert formatting.attention_summary(AttentionCounts()) == []
    assert formatting.attention_summary(AttentionCounts(failed=1, parked=2, failing=1)) == [
        "1 integration failing",
        "2 deliveries held",
        "1 delivery failed",
    ]
    assert formatting.attention_summary(AttentionCounts(failed=MAX_COUNTED, unverified=2, missing=1)) == [
        "1,000+ deliveries failed",
        "2 domains unverified",
        "1 domain with missing records",
    ]


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ("Slack returned 410 channel_is_archived: the Slack channel is archived", "the Slack channel is archived"),
        ("failed permanently: Slack returned 400 no_text: the message is empty", "Slack: the message is empty"),
        ("Slack returned 429: rate limit exceeded", "Slack: rate limit exceeded"),
        ("Slack returned 500", "Slack returned 500"),
        ("the integration was removed", "the integration was removed"),
        ("", ""),
    ],
)
def test_errors_of_integrations_are_explained(error: str, shown: str) -> None:
    assert formatting.explain_error(error) == shown


def test_ordinals() -> None:
    numbers = (1, 2, 3, 4, 11, 12, 13, 21, 101, 111, 1002)
    assert " ".join(map(formatting.ordinal, numbers)) == "1st 2nd 3rd 4th 11th 12th 13th 21st 101st 111th 1,002nd"


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ('Set [smtp] listen = ["0.0.0.0:25"], or "systemd"', ['[smtp] listen = ["0.0.0.0:25"]', "systemd"]),
        ("Get one (docs/tls.md), set [smtp] tls_cert and tls_key.", ["docs/tls.md", "[smtp] tls_cert", "tls_key"]),
        ("Check [dns] nameservers, /etc/resolv.conf and/or port 53.", ["[dns] nameservers", "/etc/resolv.conf"]),
        ("mx1.example.org is at 192.0.2.1:25", ["mx1.example.org", "192.0.2.1:25"]),
        ("Run emailrouter check or systemctl start emailrouter", ["emailrouter check", "systemctl start emailrouter"]),
        ("Add v=spf1 mx include:a.test ~all. If p=none fits", ["v=spf1 mx include:a.test ~all", "p=none"]),
        ("Set v=DMARC1; p=none; rua=mailto:d@a.test. Reports", ["v=DMARC1; p=none; rua=mailto:d@a.test"]),
        ("No A or AAAA record <b>.", []),
    ],
)
def test_terms_of_checks_are_code(text: str, terms: list[str]) -> None:
    marked = formatting.mark_terms(text)
    assert [html.unescape(term) for term in re.findall("<code>(.*?)</code>", marked)] == terms
    assert "<b>" not in marked
