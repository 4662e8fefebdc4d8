"""Slack payloads: properties for any message."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.channels import slack_message
from router.channels.contract import DigestEntry, OperatorAlert, TestMessage, TicketNotification
from tests.support.notifications import (
    ANY_ENTRY,
    ANY_NOTIFICATION,
    FILLERS,
    NOTIFICATIONS,
    OPENED,
    TEXT,
    TIMESTAMP,
    maximum_entries,
    with_maximum_fields,
)
from tests.support.payloads import assert_valid_payload, iter_objects, iter_strings
from tests.support.slack_rules import block_errors


def test_times_are_in_the_time_zone_of_the_workspace() -> None:
    payloads = (
        slack_message.render_ticket(replace(NOTIFICATIONS["opened"], timezone="Europe/Berlin")),
        slack_message.render_plain_ticket(replace(NOTIFICATIONS["opened"], timezone="Europe/Berlin")),
        slack_message.render_test(TestMessage("Acme", "Billing", TIMESTAMP, "Europe/Berlin")),
        slack_message.render_alert(
            OperatorAlert(
                "Domain alert", "Records missing.", "Acme", TIMESTAMP, "Europe/Berlin", link="https://a.test/b"
            )
        ),
    )
    for payload in payloads:
        assert "2025-11-22 12:24 CET" in json.dumps(payload)


@pytest.mark.parametrize("is_new", [True, False])
def test_a_post_names_a_new_sender(is_new: bool) -> None:
    payload = json.dumps(slack_message.render_ticket(replace(OPENED, event="replied", new_sender=is_new)))
    assert ("took no part in this conversation before" in payload) == is_new


# --- properties


@settings(max_examples=50)
@given(ANY_NOTIFICATION)
def test_any_ticket(notification: TicketNotification) -> None:
    assert_valid_payload(slack_message.render_ticket(notification), (notification.link,))
    assert_valid_payload(slack_message.render_plain_ticket(notification), (notification.link,))


@settings(max_examples=40)
@given(st.lists(ANY_ENTRY, min_size=1, max_size=slack_message.MAX_DIGEST_ENTRIES))
def test_any_digest(entries: list[DigestEntry]) -> None:
    payload = slack_message.render_digest(entries)
    assert_valid_payload(payload, tuple(entry.link for entry in entries))
    shown = "\n".join(iter_strings(payload["blocks"]))
    assert all(f"#{entry.number}" in shown for entry in entries)


@settings(max_examples=40)
@given(TEXT, TEXT)
def test_any_test(workspace: str, integration: str) -> None:
    assert_valid_payload(slack_message.render_test(TestMessage(workspace, integration, TIMESTAMP)), ())


@pytest.mark.parametrize("filler", FILLERS)
def test_maximum_of_every_field(filler: str) -> None:
    notification = with_maximum_fields(filler * 5000)
    assert_valid_payload(slack_message.render_ticket(notification), (notification.link,))
    assert_valid_payload(slack_message.render_plain_ticket(notification), (notification.link,))
    entries = maximum_entries(filler * 5000, slack_message.MAX_DIGEST_ENTRIES)
    assert_valid_payload(slack_message.render_digest(entries), (notification.link,))


# --- individual rules


@pytest.mark.parametrize("count", [0, slack_message.MAX_DIGEST_ENTRIES + 1])
def test_digest_with_too_many_entries_or_none(count: int) -> None:
    with pytest.raises(ValueError, match="1 to 40 entries"):
        slack_message.render_digest([DigestEntry("opened", 1, "", "", "")] * count)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9_949, "9.9 kB"),
        (9_950, "10 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (25_000_000, "25 MB"),
        (3_000_000_000_000, "3000 GB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    payload = slack_message.render_ticket(replace(OPENED, attachments=(("a", size),)))
    assert f"a ({text})" in list(iter_strings(payload))


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        (0, None),
        (1, "1 line of quoted text or signature hidden"),
        (1200, "1,200 lines of quoted text or signature hidden"),
    ],
)
def test_number_of_hidden_lines(lines: int, line: str | None) -> None:
    notification = replace(OPENED, quoted_lines=lines)
    for shown in (
        list(iter_strings(slack_message.render_ticket(notification))),
        slack_message.render_plain_ticket(notification)["text"].split("\n"),
    ):
        assert [line for line in shown if "quoted text" in line] == ([line] if line else [])
    assert ("View ticket #42" in list(iter_strings(slack_message.render_ticket(notification)))) == (line is None)


def test_long_message_links_to_its_full_text() -> None:
    whole = slack_message.render_ticket(OPENED)["blocks"]
    cut = slack_message.render_ticket(replace(OPENED, text="word " * 2000))["blocks"]
    assert "View ticket #42" in list(iter_strings(whole))
    assert "View full message in ticket #42" in list(iter_strings(cut))
    quoted = cut[2]["elements"][0]["elements"][0]["text"]
    assert quoted.endswith("\u2026")
    assert 2900 < len(quoted) <= 3000


@pytest.mark.parametrize(
    "link", ["https://x.test/a|b", "https://x.test/>", "https://x.test/a b", "https://x.test/\u202e", "h" * 700]
)
def test_unsafe_link_is_omitted(link: str) -> None:
    payload = slack_message.render_ticket(replace(OPENED, link=link))
    assert not [part for part in iter_objects(payload) if part.get("type") == "link"]
    assert "<" not in slack_message.render_plain_ticket(replace(OPENED, link=link))["text"]


def test_alert_is_a_valid_payload() -> None:
    line = "<!channel> *bold* " + "x" * 5000
    payload = slack_message.render_alert(OperatorAlert("Domain alert", line, "Example", 0))
    assert list(block_errors(payload["blocks"])) == []
    assert "<!channel>" not in payload["text"]
    assert slack_message.payload_size(payload) < slack_message.MAX_PAYLOAD_BYTES


def test_long_file_name_keeps_its_extension() -> None:
    payload = slack_message.render_ticket(replace(OPENED, attachments=((f"{'invoice.pdf ' * 9}.exe", 1),)))
    assert "\N{HORIZONTAL ELLIPSIS}.exe (1 B)" in str(payload)
