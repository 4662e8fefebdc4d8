"""Notifications as samples and as hypothesis strategies, and golden files of their payloads."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import strategies as st

from router.channels.contract import DigestEntry, Payload, TicketNotification
from router.mail.contents import NamedMailbox

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
    "forged": replace(
        OPENED,
        warning="This message may be forged: the sender address is at customer.example, but customer.example did not "
        "authenticate it.",
        checks=("DMARC fail (customer.example)",),
        released=True,
    ),
    "hostile": replace(
        OPENED,
        subject="<!channel> *urgent* <https://evil.example|Slack> \u202egpj.exe",
        from_name="ceo@example.com\u202e",
        text="<!everyone> <@U123> @here `code` *bold* [a](https://evil.example) &lt;!channel&gt; :fire:\x00\x1b[0m",
        attachments=(("a\u202efdp.exe\n", 999), *((f"{n}.txt", n) for n in range(12))),
        is_test=True,
        warning="<!channel> *forged* [a](https://evil.example) @everyone \u202ecod.exe",
    ),
}
DIGEST = [
    DigestEntry("opened", 42, "Invoice 1042", "ana@customer.example", "billing@example.com", LINK),
    DigestEntry("replied", 40, "", "", "billing@example.com", LINK),
    DigestEntry("opened", 43, "<!here>", "bob@customer.example", "sales@example.com"),
    DigestEntry("replied", 44, "Pay now", "boss@example.com", "sales@example.com", LINK, warned=True, released=True),
]

_SPECIAL_TEXTS = st.sampled_from(
    [
        "<!channel>",
        "<!here|x>",
        "<@&42>",
        "</ban:42>",
        "<t:1618953630:R>",
        "<:emoji:42>",
        "<a:emoji:42>",
        "<id:customize>",
        "https://evil.example/",
        "[click](https://evil.example)",
        "[click](<https://evil.example>)",
        "||spoiler||",
        "__u__",
        "\n# heading",
        "\n-# small",
        "\n- item",
        "\n1. item",
        "\n>>> q",
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
    warning=TEXT,
    released=st.booleans(),
    link=st.one_of(st.none(), st.just(LINK), TEXT),
    is_test=st.booleans(),
    warnings=st.lists(TEXT, max_size=8).map(tuple),
    failed_recipients=st.lists(TEXT, max_size=8).map(tuple),
    state=st.one_of(
        st.just(()),
        st.just((("Status", "open"), ("Assignee", "@everyone [a](https://evil.example)"), ("Tags", "\u200b"))),
    ),
)
ANY_ENTRY = st.builds(
    DigestEntry,
    event=st.sampled_from(["opened", "replied"]),
    number=COUNT,
    subject=TEXT,
    from_address=TEXT,
    address=TEXT,
    link=st.one_of(st.none(), st.just(LINK), st.just("https://x.test/" + "a" * 500)),
    warned=st.booleans(),
    released=st.booleans(),
)


# Characters that need more than one byte or UTF-16 unit, or an escape sequence.
FILLERS = ["\U0001f4ec", '"', "\u4e2d", "\\", "<", "@", "a\u0301", "e\n", "1.\n", ")"]
_LONG_LINK = "https://x.test/" + "a" * 580


def with_maximum_fields(long: str) -> TicketNotification:
    """Returns a notification with `long` in every text, and as many values as possible."""
    return replace(
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
        warning=long,
        released=True,
        warnings=(long,) * 50,
        failed_recipients=(long,) * 50,
        link=_LONG_LINK,
        state=tuple((label, long) for label in ("Status", "Assignee", "Priority", "Tags")),
    )


def maximum_entries(long: str, count: int) -> list[DigestEntry]:
    return [
        DigestEntry("replied", 2**63 - n, long, long, f"{n}{long}", _LONG_LINK, warned=True, released=True)
        for n in range(count)
    ]


def assert_golden(folder: Path, payloads: Mapping[str, Payload]) -> None:
    """Compares payloads with golden files, by name.

    To update a file, delete it, run the test twice and review the difference.
    """
    folder.mkdir(exist_ok=True)
    texts = {
        folder / f"{name}.json": json.dumps(payload, indent=2, ensure_ascii=False) + "\n"
        for name, payload in payloads.items()
    }
    missing = [path for path in texts if not path.exists()]
    for path in missing:
        path.write_text(texts[path], encoding="utf-8")
    for path, text in texts.items():
        assert text == path.read_text(encoding="utf-8")
    if missing:
        names = ", ".join(path.name for path in missing)
        pytest.fail(f"missing and written now: {names}; review these files, then run again")
