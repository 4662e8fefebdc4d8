"""Any line parses to a typed value or raises `CommandError`, and parsing is fast."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.mail.address import Mailbox
from smtp import commands, replies
from smtp.commands import BdatCommand, CommandError, MailCommand

LINES = st.one_of(
    st.binary(max_size=80).filter(lambda line: b"\r\n" not in line),
    st.lists(
        st.sampled_from(
            [
                "MAIL ",
                "RCPT ",
                "FROM:",
                "TO:",
                "<",
                ">",
                "@",
                ":",
                ",",
                '"',
                "\\",
                "a",
                "b.c",
                " ",
                "SIZE=",
                "9",
                "[::]",
            ]
        ),
        max_size=14,
    ).map(lambda parts: "".join(parts).encode()),
)


@given(LINES)
def test_any_line_parses_or_raises_command_error(line: bytes) -> None:
    with contextlib.suppress(CommandError):
        _, argument = commands.split_line(line)
        for parse in (commands.parse_hello, commands.parse_mail, commands.parse_bdat, commands.parse_no_argument):
            with contextlib.suppress(CommandError):
                parse(argument)
        for smtputf8 in (False, True):
            with contextlib.suppress(CommandError):
                mailbox = commands.parse_rcpt(argument, smtputf8=smtputf8)
                assert smtputf8 or str(mailbox).isascii()


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("FROM:<a@b.example>", MailCommand(Mailbox("a", "b.example"))),
        ("from: <a@b.example>", MailCommand(Mailbox("a", "b.example"))),
        ("FROM:<>", MailCommand(None)),
        ("FROM:<> SIZE=0012", MailCommand(None, 12)),
        ("FROM:<a@b.example>  SIZE=1  BODY=8bitmime", MailCommand(Mailbox("a", "b.example"), 1)),
        ("FROM:<@x.example,@y.example:a@b.example>", MailCommand(Mailbox("a", "b.example"))),
        ('FROM:<"a> SIZE=1\\"@"@b.example> SIZE=2', MailCommand(Mailbox('a> SIZE=1"@', "b.example"), 2)),
        ("FROM:<ü@b.example> SMTPUTF8", MailCommand(Mailbox("ü", "b.example"), None, smtputf8=True)),
        ("FROM:<" + "x" * 200 + "@b.example>", MailCommand(Mailbox("x" * 200, "b.example"))),
    ],
)
def test_parse_mail(argument: str, expected: MailCommand) -> None:
    assert commands.parse_mail(argument) == expected


@pytest.mark.parametrize(
    ("argument", "reply"),
    [
        (None, replies.BAD_ARGUMENT),
        ("TO:<a@b.example>", replies.BAD_ARGUMENT),
        ("FROM:<<a@b.example>>", replies.BAD_ARGUMENT),
        ("FROM:<a@b.example> >", replies.BAD_ARGUMENT),
        ("FROM:<postmaster>", replies.BAD_ADDRESS),
        ("FROM:<@x.example>", replies.BAD_ADDRESS),
        ("FROM:<\udcff@b.example> SMTPUTF8", replies.BAD_ADDRESS),
        ("FROM:<ü@b.example>", replies.NEEDS_SMTPUTF8),
        ("FROM:<> ENVID=x", replies.UNKNOWN_PARAMETER),
    ],
)
def test_parse_mail_rejects(argument: str | None, reply: replies.Reply) -> None:
    with pytest.raises(CommandError) as raised:
        commands.parse_mail(argument)
    assert raised.value.reply is reply


@pytest.mark.parametrize(("argument", "expected"), [("0", BdatCommand(0, False)), ("86 LAST", BdatCommand(86, True))])
def test_parse_bdat(argument: str, expected: BdatCommand) -> None:
    assert commands.parse_bdat(argument) == expected


@pytest.mark.parametrize("argument", [None, "", "x", "-1", "1 FIRST", "1LAST", "1 LAST x", "9" * 21, "١"])
def test_parse_bdat_rejects(argument: str | None) -> None:
    with pytest.raises(CommandError):
        commands.parse_bdat(argument)


@pytest.mark.parametrize("hostile", ['"' * 500, '"\\' * 250, "<" * 500, "@" * 500, "@a:" * 160, '""' * 250, "a" * 500])
def test_hostile_arguments_parse_quickly(hostile: str) -> None:
    began = time.perf_counter()
    for argument in (f"FROM:<{hostile}", f"FROM:<{hostile}>", f"FROM:<@{hostile}:{hostile}> {hostile}"):
        with pytest.raises(CommandError):
            commands.parse_mail(argument)
    assert time.perf_counter() - began < 0.1


@pytest.mark.parametrize(
    ("code", "enhanced", "text"),
    [
        (250, "5.0.0", "x"),
        (550, "", "x"),
        (250, "2.0", "x"),
        (250, "2.0.0", "x\r\n250 x"),
        (250, "2.0.0", "ü"),
        (250, "2.0.0", "x" * 600),
    ],
)
def test_invalid_reply_raises_value_error(code: int, enhanced: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        replies.Reply(code, enhanced, text)


def test_multiline_reply() -> None:
    assert replies.Reply(250, "2.0.0", "one\ntwo").encoded == b"250-2.0.0 one\r\n250 2.0.0 two\r\n"
    assert replies.ehlo_reply("mx", ("A", "B")).encoded == b"250-mx\r\n250-A\r\n250 B\r\n"


@pytest.mark.parametrize(
    "line",
    [
        *(f"{method} / HTTP/1.1".encode() for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE")),
        *(
            b"CONNECT mx.example.net:25 HTTP/1.1",
            b"PRI * HTTP/2.0",
            b"PATCH /",
            b"GET",
            b"get",
            b"PROPFIND / HTTP/1.1",
            b"propfind / http/1.1",
        ),
        *(b"PROPFIND / HTTP/1.0\nHost: x\n", b"REGISTER sip:example.net SIP/2.0"),
        *(b"\x16\x03\x01\x02\x00\x01\x00", b"POST /" + b"x" * 5000),
    ],
)
def test_line_of_another_protocol_gets_421(line: bytes) -> None:
    assert commands.line_error(line, replies.UNKNOWN_COMMAND).reply is replies.NOT_SMTP


@pytest.mark.parametrize(
    "line",
    [b"", b"FNORD", b"GETTING x", b"Host: mx", b"\x16", b"\x03\x16", b"NOOP\x16\x03", b"AUTH PLAIN AA/1"],
)
def test_other_lines_keep_their_reply(line: bytes) -> None:
    assert commands.line_error(line, replies.UNKNOWN_COMMAND).reply is replies.UNKNOWN_COMMAND
