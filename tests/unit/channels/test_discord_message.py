"""Discord payloads: properties for any message."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.channels import discord_message
from router.channels.contract import DigestEntry, OperatorAlert, TestMessage, TicketNotification
from router.channels.discord_message import MARKUP
from router.channels.untrusted_text import normalize_line
from router.unicode_text import is_visible
from tests.support.discord_rules import active_markup, assert_valid_payload, utf16_length
from tests.support.notifications import (
    ANY_ENTRY,
    ANY_NOTIFICATION,
    DIGEST,
    FILLERS,
    LINK,
    OPENED,
    TEXT,
    TIMESTAMP,
    assert_golden,
    maximum_entries,
    with_maximum_fields,
)

GOLDEN = Path(__file__).parent / "golden" / "discord"
STATE = (("Status", "in progress"), ("Assignee", "Bo_b"))


def test_golden_state() -> None:
    assert_golden(GOLDEN, {"state": discord_message.render_ticket(replace(OPENED, state=STATE))})


# --- properties


def assert_valid_ticket(notification: TicketNotification) -> None:
    rich, plain = discord_message.render_ticket(notification), discord_message.render_plain_ticket(notification)
    assert_valid_payload(rich, (notification.link,))
    assert_valid_payload(plain, (notification.link,))
    assert (plain["embeds"], plain["flags"]) == ([], 4)
    number = f"#{notification.number}"
    (headline,) = (line for line in rich["content"].split("\n") if line.startswith("**"))
    assert rich["content"].index(headline) == 0 or is_visible(normalize_line(notification.warning))
    assert number in rich["content"]
    assert number in plain["content"]


@settings(max_examples=50)
@given(ANY_NOTIFICATION)
def test_any_ticket(notification: TicketNotification) -> None:
    assert_valid_ticket(notification)


@settings(max_examples=25)
@given(ANY_NOTIFICATION, ANY_NOTIFICATION)
def test_content_has_no_text_of_the_message(first: TicketNotification, second: TicketNotification) -> None:
    other, same = (
        replace(
            each,
            event=first.event,
            number=first.number,
            link=LINK,
            is_test=False,
            automatic="",
            truncated=True,
            warning="",
            released=False,
        )
        for each in (second, first)
    )
    contents = {discord_message.render_ticket(notification)["content"] for notification in (same, other)}
    assert len(contents) == 1


@settings(max_examples=40)
@given(st.lists(ANY_ENTRY, min_size=1, max_size=discord_message.MAX_DIGEST_ENTRIES))
def test_any_digest(entries: list[DigestEntry]) -> None:
    payload = discord_message.render_digest(entries)
    assert_valid_payload(payload)
    assert all(f"#{entry.number}" in payload["embeds"][0]["description"] for entry in entries)


@settings(max_examples=40)
@given(TEXT, TEXT)
def test_any_test_and_alert(workspace: str, text: str) -> None:
    assert_valid_payload(discord_message.render_test(TestMessage(workspace, text, TIMESTAMP)))
    link = "https://tickets.example.com/tickets/spam"
    alert = discord_message.render_alert(OperatorAlert("Domain alert", text, workspace, TIMESTAMP, link=link))
    assert_valid_payload(alert, (link,))
    assert alert["content"].endswith(f"View in the dashboard: <{link}>")


@pytest.mark.parametrize("filler", FILLERS)
def test_maximum_of_every_field(filler: str) -> None:
    assert_valid_ticket(with_maximum_fields(filler * 5000))
    assert_valid_payload(
        discord_message.render_digest(maximum_entries(filler * 5000, discord_message.MAX_DIGEST_ENTRIES))
    )


# --- limits


@pytest.mark.parametrize("filler", ["x", "\U0001f4ec", "*", "@"])
@pytest.mark.parametrize("change", [-1, 0, 1])
def test_title_at_its_limit(filler: str, change: int) -> None:
    width = utf16_length(MARKUP.escape(filler, 10))
    subject = filler * ((256 + change) // width)
    title = discord_message.render_ticket(replace(OPENED, subject=subject))["embeds"][0]["title"]
    assert utf16_length(title) <= 256
    assert (title == MARKUP.escape(subject, 10_000)) == (utf16_length(MARKUP.escape(subject, 10_000)) <= 256)


@pytest.mark.parametrize("length", range(2990, 3010))
def test_text_at_its_limit(length: int) -> None:
    """The text has its own limit, below that of a description."""
    payload = discord_message.render_ticket(replace(OPENED, text="x" * length, link=LINK))
    assert_valid_payload(payload, (LINK,))
    text = payload["embeds"][0]["description"].partition(">>> ")[2]
    assert len(text) <= 3000
    assert (text == "x" * length) == (length <= 2998)
    assert ("View full message" in payload["content"]) == (length > 2998)


@pytest.mark.parametrize("filler", ["x", "\U0001f4ec", "_", "<"])
def test_the_sum_of_all_texts_is_within_its_limit(filler: str) -> None:
    """Every other text takes more of the sum, and the description less."""
    sums = set()
    for n in range(4, 1200, 37):
        notification = replace(
            OPENED,
            subject=filler * 300,
            text=filler * 9000,
            checks=(filler * 150,) * 5,
            warnings=(filler * 150,) * 5,
            state=tuple((label, filler * (n // 4)) for label in ("Status", "Assignee", "Priority", "Tags")),
            attachments=((filler * n, 1),) * 10,
        )
        (embed,) = discord_message.render_ticket(notification)["embeds"]
        assert_valid_payload(discord_message.render_ticket(notification), (LINK,))
        sums.add(discord_message.embed_length(embed))
    assert max(sums) <= 6000
    assert max(sums) > 5000


@pytest.mark.parametrize("count", [0, discord_message.MAX_DIGEST_ENTRIES + 1])
def test_digest_with_too_many_entries_or_none(count: int) -> None:
    with pytest.raises(ValueError, match="1 to 25 entries"):
        discord_message.render_digest([DigestEntry("opened", 1, "", "", "")] * count)


# --- markup


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a.b c, d! 'e' {f} $ % ^ & + = ; /", "a.b c, d! 'e' {f} $ % ^ & + = ; /"),
        ("*b* _i_ ~~s~~ `c` ||x||", r"\*b\* \_i\_ \~\~s\~\~ \`c\` \|\|x\|\|"),
        ("@everyone", "\\@\u200beveryone"),
        ("<@42> <t:1:R>", "\\<\u200b\\@\u200b42\\> \\<\u200bt\\:1\\:R\\>"),
        ("[a](https://x.test)", r"\[a\]\(https\://x.test\)"),
        ("\\", "\\\\"),
        ("# a\n-# b\n> c\n- d", "\\# a\n\\-\\# b\n\\> c\n\\- d"),
        ("1. a\n  22. b 3. c", "1\u200b. a\n  22\u200b. b 3. c"),
        ("discord.gg/abc", "discord\u200b.gg/abc"),
        ("a.DiscordApp.com/invite/x discord.gift/y", "a.DiscordApp\u200b.com/invite/x discord\u200b.gift/y"),
        ("discord. com, discord.org", "discord. com, discord.org"),
    ],
)
def test_escape(text: str, escaped: str) -> None:
    assert MARKUP.escape(text, 1000) == escaped
    assert active_markup(escaped) == []


@pytest.mark.parametrize(
    "text",
    [
        "*a",
        "<@1>",
        "@here",
        "[a](b)",
        "https://a.test",
        "\n1. a",
        "a\n# b",
        "\n- a",
        ":a:",
        "\\",
        "\\\\*a*",
        "discord.gg/a",
    ],
)
def test_the_check_finds_active_markup(text: str) -> None:
    assert active_markup(text)


def test_name_of_a_forum_thread() -> None:
    render, subject = discord_message.render_ticket, "1. [urgent] *Re:* a_b <c@d>"
    assert discord_message.thread_name(render(replace(OPENED, subject=subject))) == f"New ticket #42: {subject}"
    assert len(discord_message.thread_name(render(replace(OPENED, subject="x" * 300)))) == 100
    assert discord_message.thread_name(discord_message.render_plain_ticket(OPENED)) == "New ticket #42"
    assert discord_message.thread_name(discord_message.render_digest(DIGEST)) == "4 more ticket updates"


def test_documented_form() -> None:
    """The alias, the sender, the subject and the text, as in the documentation of the hosted product."""
    payload = discord_message.render_ticket(OPENED)
    (embed,) = payload["embeds"]
    assert embed["title"] == "Invoice 1042 is wrong"
    head, _, text = embed["description"].partition("\n>>> ")
    assert head.startswith("**New email to** billing\\@\u200bexample.com\n**From** Gr\u00fcne, Ana ")
    assert text.startswith("Hello,")
    replied = json.dumps(discord_message.render_ticket(replace(OPENED, event="replied")))
    assert "**New reply to**" in replied


def test_messages_that_are_not_updated_show_no_status() -> None:
    assert "in progress" not in json.dumps(discord_message.render_ticket(replace(OPENED, status="in_progress")))
