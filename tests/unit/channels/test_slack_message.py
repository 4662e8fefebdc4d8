"""Slack payloads: golden files for some notifications, and properties for any message."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.channels import slack_message
from router.channels.contract import DigestEntry, OperatorAlert, Payload, TestMessage, TicketNotification
from router.mail.contents import NamedMailbox
from tests.support.payloads import assert_valid_payload, iter_objects, iter_strings
from tests.support.slack_rules import block_errors

GOLDEN = Path(__file__).parent / "golden"
TIMESTAMP = 1_763_810_645_123_456  # 2025-11-22 11:24:05 UTC
LINK = "https://mail.example.com/tickets/ticket_01jd"

OPENED = TicketNotification(
    event="opened",
    ticket_id="ticket_01jd",
    number=42,
    subject="Invoice 1042 is wrong",
    from_name="Grüne, Ana",
    from_address="ana@customer.example",
    address="billing@example.com",
    status="open",
    received_at=TIMESTAMP,
    text="Hello,\n\nthe total of invoice 1042 should be 99 €.\n\nAna",
    link=LINK,
)
NOTIFICATIONS = {
    "opened": OPENED,
    "replied_with_everything": replace(
        OPENED,
        event="replied",
        status="in_progress",
        truncated=True,
        quoted_lines=12,
        reply_to=(NamedMailbox("ana@home.example", ""), NamedMailbox("office@customer.example", "Office"))
        + (NamedMailbox("more@customer.example", ""),) * 3,
        original_from=NamedMailbox("ana@other.example", "Ana Grüne"),
        attachments=(("invoice 1042.pdf", 182_344), ("photo.jpg", 25_000_000), ("", 12)),
        checks=("SPF pass", "DKIM pass (customer.example)"),
        warnings=("charset guessed",),
    ),
    "automatic_without_subject": replace(
        OPENED, subject=" \u200b ", from_name="", from_address="", text="", automatic="bounce", link=None
    ),
    "deceptive": replace(
        OPENED,
        from_name="\u200fAna\u200b",
        from_address="a\u200dna@\u0430cme.example",
        subject="\u3164\u2800",
        attachments=(("\u061ca.pdf", 1),),
    ),
    "hostile": replace(
        OPENED,
        subject="<!channel> *urgent* <https://evil.example|Slack> \u202egpj.exe",
        from_name="ceo@example.com\u202e",
        text="<!everyone> <@U123> @here `code` *bold* [a](https://evil.example) &lt;!channel&gt; :fire:\x00\x1b[0m",
        attachments=(("a\u202efdp.exe\n", 999), *((f"{n}.txt", n) for n in range(12))),
        is_test=True,
    ),
}


def _golden(name: str, payload: Payload) -> None:
    """Compares `payload` with a golden file.

    To update the file, delete it, run the test twice and review the difference.
    """
    path = GOLDEN / f"{name}.json"
    text = json.dumps(payload, indent=2, ensure_ascii=False) + "\n"
    if not path.exists():
        path.write_text(text, encoding="utf-8")
        pytest.fail(f"{path.name} was missing and has been written: review it, then run again")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NOTIFICATIONS)
def test_golden(name: str) -> None:
    _golden(name, slack_message.render_ticket(NOTIFICATIONS[name]))


@pytest.mark.parametrize("name", NOTIFICATIONS)
def test_golden_plain(name: str) -> None:
    _golden(f"{name}.plain", slack_message.render_plain_ticket(NOTIFICATIONS[name]))


def test_golden_test() -> None:
    _golden("test", slack_message.render_test(TestMessage("Example & Co", "Billing <channel>", TIMESTAMP)))


def test_times_are_in_the_time_zone_of_the_workspace() -> None:
    payloads = (
        slack_message.render_ticket(replace(NOTIFICATIONS["opened"], timezone="Europe/Berlin")),
        slack_message.render_plain_ticket(replace(NOTIFICATIONS["opened"], timezone="Europe/Berlin")),
        slack_message.render_test(TestMessage("Acme", "Billing", TIMESTAMP, "Europe/Berlin")),
        slack_message.render_alert(
            OperatorAlert("Domain alert", "Records missing.", "Acme", TIMESTAMP, "Europe/Berlin")
        ),
    )
    for payload in payloads:
        assert "2025-11-22 12:24 CET" in json.dumps(payload)


def test_golden_digest() -> None:
    entries = [
        DigestEntry("opened", 42, "Invoice 1042", "ana@customer.example", "billing@example.com", LINK),
        DigestEntry("replied", 40, "", "", "billing@example.com", LINK),
        DigestEntry("opened", 43, "<!here>", "bob@customer.example", "sales@example.com"),
    ]
    _golden("digest", slack_message.render_digest(entries))


# --- properties

_SPECIAL_TEXTS = st.sampled_from(
    [
        "<!channel>",
        "<!here|x>",
        "<@U012345>",
        "<#C012345>",
        "<https://evil.example|click>",
        "@channel",
        "@everyone",
        "*b*",
        "_i_",
        "~s~",
        "`c`",
        "```",
        "> q",
        ":fire:",
        "&lt;!channel&gt;",
        "&",
        "\x00",
        "\x1b[31m",
        "\u202e",
        "\u2066",
        "\ud83d",
        "\udcff",
        "\ufeff",
        "\u200b",
        "\u0301" * 40,
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\U0001f1e9\U0001f1ea",
        "\U0001f44d\U0001f3fd",
        '"',
        "\\",
        "\r",
        "\n",
        "\u2028",
        "\t",
        " ",
    ]
)
_CHARACTERS = st.characters(codec=None, categories=None)
_TEXT_PARTS = st.one_of(st.text(_CHARACTERS, max_size=60), _SPECIAL_TEXTS)
TEXT = st.builds(
    lambda pieces, times: "".join(pieces) * times,
    st.lists(_TEXT_PARTS, max_size=8),
    st.sampled_from([1, 1, 3, 60, 900]),
)
COUNT = st.integers(min_value=0, max_value=2**63 - 1)
ANY_MAILBOX = st.builds(NamedMailbox, TEXT, TEXT)
ANY_NOTIFICATION = st.builds(
    TicketNotification,
    event=st.sampled_from(["opened", "replied"]),
    ticket_id=st.just("ticket_1"),
    number=COUNT,
    subject=TEXT,
    from_name=TEXT,
    from_address=TEXT,
    address=TEXT,
    status=st.sampled_from(["open", "in_progress", "waiting", "resolved"]),
    received_at=st.integers(min_value=-(2**63), max_value=2**63 - 1),
    text=TEXT,
    truncated=st.booleans(),
    quoted_lines=COUNT,
    reply_to=st.lists(ANY_MAILBOX, max_size=5).map(tuple),
    original_from=st.one_of(st.none(), ANY_MAILBOX),
    attachments=st.lists(st.tuples(TEXT, COUNT), max_size=30).map(tuple),
    automatic=TEXT,
    checks=st.lists(TEXT, max_size=8).map(tuple),
    link=st.one_of(st.none(), st.just(LINK), TEXT),
    is_test=st.booleans(),
    warnings=st.lists(TEXT, max_size=8).map(tuple),
)
ANY_ENTRY = st.builds(
    DigestEntry,
    event=st.sampled_from(["opened", "replied"]),
    number=COUNT,
    subject=TEXT,
    from_address=TEXT,
    address=TEXT,
    link=st.one_of(st.none(), st.just(LINK), st.just("https://x.test/" + "a" * 500)),
)


@settings(max_examples=100, deadline=None)
@given(ANY_NOTIFICATION)
def test_any_ticket(notification: TicketNotification) -> None:
    assert_valid_payload(slack_message.render_ticket(notification), (notification.link,))
    assert_valid_payload(slack_message.render_plain_ticket(notification), (notification.link,))


@settings(max_examples=75, deadline=None)
@given(st.lists(ANY_ENTRY, min_size=1, max_size=slack_message.MAX_DIGEST_ENTRIES))
def test_any_digest(entries: list[DigestEntry]) -> None:
    payload = slack_message.render_digest(entries)
    assert_valid_payload(payload, tuple(entry.link for entry in entries))
    shown = "\n".join(iter_strings(payload["blocks"]))
    assert all(f"#{entry.number}" in shown for entry in entries)


@settings(max_examples=75, deadline=None)
@given(TEXT, TEXT)
def test_any_test(workspace: str, integration: str) -> None:
    assert_valid_payload(slack_message.render_test(TestMessage(workspace, integration, TIMESTAMP)), ())


@pytest.mark.parametrize("filler", ["\U0001f4ec", '"', "\u4e2d", "\\", "<", "a\u0301", "e\n"])
def test_maximum_of_every_field(filler: str) -> None:
    long = filler * 5000
    notification = replace(
        OPENED,
        number=2**63 - 1,
        subject=long,
        from_name=long,
        from_address=long,
        address=long,
        text=long,
        quoted_lines=2**63 - 1,
        reply_to=(NamedMailbox(long, long),) * 20,
        original_from=NamedMailbox(long, long),
        attachments=((long, 2**63 - 1),) * 200,
        automatic=long,
        checks=(long,) * 50,
        warnings=(long,) * 50,
        link="https://x.test/" + "a" * 580,
    )
    assert_valid_payload(slack_message.render_ticket(notification), (notification.link,))
    assert_valid_payload(slack_message.render_plain_ticket(notification), (notification.link,))
    entries = [
        DigestEntry("replied", 2**63 - n, long, long, f"{n}{long}", notification.link)
        for n in range(slack_message.MAX_DIGEST_ENTRIES)
    ]
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
