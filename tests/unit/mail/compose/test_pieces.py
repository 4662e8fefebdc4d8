"""Subjects, sender names, references and quotes of replies."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.mail.compose.html import clean_html, to_text
from router.mail.compose.quote import MAX_BYTES, MAX_LINES, quote_as_html, quote_as_text
from router.mail.compose.references import MAX_REFERENCES, build_references
from router.mail.compose.sender_name import build_sender_name, check_pattern
from router.mail.compose.subject import MAX_SUBJECT_LENGTH, reply_subject
from router.mail.html_sanitizer import MAX_HTML_LENGTH
from tests.unit.mail.compose.mail import QUOTE


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("The parcel", "Re: The parcel"),
        *((f"{prefix} The parcel", "Re: The parcel") for prefix in ("Re:", "RE :", "AW:", "SV:", "Antw:", "RE[2]:")),
        *(
            (f"{prefix}The parcel", "Re: The parcel")
            for prefix in ("RES:", "VS: ", "回复：", "Re^3:", "Re: AW: RE[12]:")
        ),
        ("[EXTERN] Re: [shop] AW: The parcel", "Re: [EXTERN] [shop] The parcel"),
        ("Fwd: The parcel", "Re: Fwd: The parcel"),
        ("Re: Fwd: Re: x", "Re: Fwd: Re: x"),
        ("Order: 17", "Re: Order: 17"),
        ("  a \t  b ", "Re: a b"),
        ("Re:", "Re:"),
        ("", "Re:"),
        ("x" * 5000, f"Re: {'x' * MAX_SUBJECT_LENGTH}"),
    ],
)
def test_subject(subject: str, expected: str) -> None:
    assert reply_subject(subject) == expected
    assert reply_subject(expected) == expected


@pytest.mark.parametrize("subject", ["a\r\nBcc: x", "a\nb", "a\rb", "a\0b"])
def test_subject_with_a_line_break(subject: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        reply_subject(subject)


@pytest.mark.parametrize(
    ("pattern", "agent", "expected"),
    [
        ("", "Eva", "Eva (Acme)"),
        ("", "", "Acme"),
        ("{workspace}", "Eva", "Acme"),
        ("{agent} from {workspace}", "", "Acme"),
        ("Support", "", "Support"),
        ("{agent} at {workspace}", "{workspace}", "{workspace} at Acme"),
        ("{agent}", "Müller, Eva \U0001f469\u200d\U0001f4bb", "Müller, Eva \U0001f469\u200d\U0001f4bb"),
        ("{agent}", "boss@bank.example", "boss bank.example"),
        ("{agent}", "boss\uff20bank.example <x\ufe6by>", "boss bank.example x y"),
        ("{agent}", '"Boss" \uff1cboss\uff1e', "Boss boss"),
        ("{agent}", "=?utf-8?q?boss=40bank?=", "utf-8?q?boss=40bank"),
        ("{agent}", "a\u202eb\u200b\x00\r\nBcc: c\x7f", "ab Bcc: c"),
        ("{agent}", "x" * 500, "x" * 128),
        ("{other}", "Eva", ""),
    ],
)
def test_sender_name(pattern: str, agent: str, expected: str) -> None:
    assert build_sender_name(pattern, agent, "Acme") == expected


def test_sender_name_pattern() -> None:
    check_pattern("")
    check_pattern("{agent}, {workspace} {")
    with pytest.raises(ValueError, match=r"\{name\} is not known; allowed are \{agent\} and \{workspace\}"):
        check_pattern("{name}")
    with pytest.raises(ValueError, match="line break"):
        check_pattern("{agent}\n")


def test_references() -> None:
    ids = [f"{n}@x" for n in range(50)]
    assert build_references("a@x", ids) == ("a@x", *ids[-MAX_REFERENCES + 1 :])
    assert build_references("a@x", ["1@x", "a@x", "2@x", "1@x"]) == ("a@x", "2@x", "1@x")
    assert build_references("a@x", ["", "a b@c", "<1@x>", "é@x", "x" * 901, "1@x\r\n", "1"]) == ("a@x", "1")


def test_quote_of_quoted_text() -> None:
    quoted = quote_as_text(replace(QUOTE, text="\n\nA  \n> B\n\n>> C\r\n", locale="en-US", timezone="America/New_York"))
    assert quoted == "On Nov 14, 2023, 5:13 PM EST, Ada Byron wrote:\n> A\n>> B\n>\n>>> C"


def test_nothing_to_quote() -> None:
    for text in ("", " \n\t\n", "\0"):
        assert quote_as_text(replace(QUOTE, text=text)) == quote_as_html(replace(QUOTE, text=text)) == ""


@given(st.lists(st.sampled_from(["", "a", "é" * 700, "x" * 20_000, "> y"]), min_size=1, max_size=300))
def test_limits_of_a_quote(lines: list[str]) -> None:
    quote = replace(QUOTE, text="\n".join(["first", *lines, "last"]))
    _, *quoted = quote_as_text(quote).split("\n")
    assert len(quoted) <= MAX_LINES
    assert sum(len(line.encode()) + 2 for line in quoted) <= MAX_BYTES + 10
    assert quoted[0] == "> first"
    assert quoted[-1] in {"> last", "> [...]"}
    assert (quoted[-1] == "> last") == (len(quoted) == len(lines) + 2)
    assert quote_as_html(quote).count("<br>") == len(quoted)


def test_quoted_html() -> None:
    assert "><b>x</b></blockquote>" in quote_as_html(replace(QUOTE, html="<b>x</b>"))
    assert "Where is my parcel?<br>" in quote_as_html(replace(QUOTE, html=f"<b>{'é' * (MAX_BYTES // 2)}</b>"))


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>a<script>b</script><style>c</style>", "<p>a</p>"),
        ('<a href="javascript:x" onclick="y">a</a>', "<a>a</a>"),
        ('<a href="https://a.example/?b&amp;c">a</a>', '<a href="https://a.example/?b&amp;c">a</a>'),
        ('<a href="/relative">a</a>', "<a>a</a>"),
        ('<img src="cid:a%40b"><img src=" CID:a@b "><img src="cid:b">', '<img src="cid:a@b"><img src="cid:a@b">'),
        ('<img src="https://a.example/b.png" alt="c">', '<img src="https://a.example/b.png" alt="c">'),
        ('a<img src="http://a.example/b.png"><img src="data:image/png;base64,AA" alt="b">', "a"),
        (
            '<img alt="&quot;>" src="remote:https://a.example/b.png"><img alt="a" src="cid:a@b">',
            '<img alt="a" src="cid:a@b">',
        ),
        ('<p style="color:red;position:fixed" data-editable>a<form><input></form>', '<p style="color:red">a</p>'),
    ],
)
def test_clean_html(html: str, expected: str) -> None:
    assert clean_html(html, ["a@b"]) == expected


def test_html_that_is_not_sent() -> None:
    assert clean_html("x" * (MAX_HTML_LENGTH + 1), ()) is None
    assert clean_html("<b>" * 60_000, ()) is None
    assert to_text(clean_html("<p>a<br>b</p><ul><li>c</ul>", ()) or "") == "a\nb\n\n- c"
