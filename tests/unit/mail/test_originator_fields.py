"""Reply-To, and the author of a message with a rewritten From."""

import pytest

from router.mail.contents import Contents, NamedMailbox
from router.mail.originator_fields import MAX_REPLY_TO, drop_if_same, read_originators
from router.mail.parse import parse, raw_contents

FROM = "From: Shop form <form@shop.example>"


def parse_originators(*lines: str) -> tuple[tuple[NamedMailbox, ...], NamedMailbox | None]:
    return read_originators("\r\n".join([FROM, *lines, "", "Hello."]).encode())


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((), []),
        (("Reply-To:",), []),
        (("Reply-To: undisclosed-recipients:;",), []),
        (("Reply-To: Ada <ada@customer.example>",), [("ada@customer.example", "Ada")]),
        (("Reply-To: ada@customer.example (Ada)",), [("ada@customer.example", "Ada")]),
        (("Reply-To: =?utf-8?q?J=C3=BCrgen?=\r\n <j@kunde.example>",), [("j@kunde.example", "Jürgen")]),
        (("Reply-To: Team: a@x.example, b@x.example;",), [("a@x.example", ""), ("b@x.example", "")]),
        (("Reply-To: a@x.example", "reply-to: A@X.example, b@x.example"), [("a@x.example", ""), ("b@x.example", "")]),
    ],
)
def test_reply_to(lines: tuple[str, ...], expected: list[tuple[str, str]]) -> None:
    assert list(parse_originators(*lines)[0]) == [NamedMailbox(*pair) for pair in expected]


def test_reply_to_is_bounded() -> None:
    many = ", ".join(f"a{n}@x.example" for n in range(500))
    assert len(parse_originators(f"Reply-To: {many}")[0]) == MAX_REPLY_TO


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((), None),
        (("X-Original-From: Ada <ada@customer.example>",), ("ada@customer.example", "Ada")),
        (("Author: Ada <ada@customer.example>",), ("ada@customer.example", "Ada")),
        (("X-Google-Original-From: ada@customer.example",), ("ada@customer.example", "")),
        (("X-Original-Sender: ada@customer.example",), ("ada@customer.example", "")),
        (
            ("X-Original-Sender: ada@customer.example", "X-Original-From: Ada <ada@customer.example>"),
            ("ada@customer.example", "Ada"),
        ),
        (("X-Original-From: nobody", "X-Original-Sender: ada@customer.example"), ("ada@customer.example", "")),
        (("Author: the press office",), None),
    ],
)
def test_original_author(lines: tuple[str, ...], expected: tuple[str, str] | None) -> None:
    assert parse_originators(*lines)[1] == (None if expected is None else NamedMailbox(*expected))


def test_drop_if_same() -> None:
    ada, team = NamedMailbox("Ada@customer.example", ""), NamedMailbox("team@customer.example", "Team")
    assert drop_if_same("ada@CUSTOMER.example", [ada]) == ()
    assert drop_if_same("ada@customer.example", [ada, team]) == (ada, team)
    assert drop_if_same("ada@customer.example", []) == ()
    assert drop_if_same("", [ada]) == (ada,)


def test_unparsable_messages_keep_originators() -> None:
    content = f"{FROM}\r\nReply-To: a@x.example\r\nX-Original-From: B <b@x.example>\r\n\r\nHello.".encode()
    for contents in (parse(content), raw_contents(content, "could not be parsed")):
        assert contents.reply_to == (NamedMailbox("a@x.example", ""),)
        assert contents.original_from == NamedMailbox("b@x.example", "B")
        assert Contents.from_json(contents.to_json()) == contents
