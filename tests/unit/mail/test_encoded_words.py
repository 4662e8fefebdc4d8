"""Charsets, encoded words, parameters and filenames."""

from __future__ import annotations

import pytest

from router.mail.charset_labels import codec_for
from router.mail.charsets import decode_charset
from router.mail.decode import clean_line, clean_text, decode_encoded_words, parse_parameters, safe_filename


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("UTF-8", "utf_8"),
        ("iso-8859-1", "cp1252"),
        ("ISO_8859-2:1987", "iso8859_2"),
        ("windows-1251", "cp1251"),
        ("gb2312", "gb18030"),
        ("ks_c_5601-1987", "cp949"),
        ("csISO2022JP", "iso2022_jp_ext"),
        ("utf-8*en", "utf_8"),
        ("base64", ""),
        ("idna", ""),
        ("unicode_escape", ""),
        ("no-such-module", ""),
    ],
)
def test_codec(label: str, expected: str) -> None:
    assert codec_for(label) == expected


@pytest.mark.parametrize(
    ("text", "encoding", "label", "doubtful"),
    [
        ("Grüße", "utf-8", "utf-8", False),
        ("Grüße", "utf-8", "iso-8859-1", True),
        ("Grüße", "utf-8", "", False),
        ("Grüße – 10 €", "cp1252", "iso-8859-1", False),
        ("Grüße", "latin-1", "utf-8", True),
        ("Grüße aus Köln", "latin-1", "", True),
        ("お世話になっております", "iso2022_jp", "iso-2022-jp", False),
        ("お世話になっております", "iso2022_jp", "us-ascii", True),
        ("您好，请问发票怎么开", "gbk", "gb2312", False),
        ("Здравствуйте", "koi8-r", "koi8-r", False),
        ("안녕하세요", "euc-kr", "ks_c_5601-1987", False),
        ("hi", "utf-16", "utf-16", False),
        ("hi", "ascii", "utf-16", False),
        ("hi", "ascii", "no-such", False),
    ],
)
def test_charsets(text: str, encoding: str, label: str, doubtful: bool) -> None:
    assert decode_charset(text.encode(encoding), label) == (text, doubtful)


def test_a_split_character_does_not_change_the_charset() -> None:
    assert decode_charset("Grüße aus München, schöne Tage".encode()[:-1] + b"\xc3", "utf-8")[0].startswith("Grüße aus")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?q?a_b=21?=", "a b!"),
        (b"=?utf-8?B?R3LDvMOf?= =?utf-8?B?ZQ==?=", "Grüße"),
        (b"=?utf-8?Q?=C3?=\r\n =?UTF-8?Q?=BC?=", "ü"),
        (b"=?iso-8859-1?Q?=E9?= =?utf-8?Q?=C3=A9?=", "éé"),
        (b"a =?utf-8?Q?b?= c", "a b c"),
        (b"=?utf-8?Q?b?=c", "bc"),
        (b"=?utf-8?B?aGk!?= there", "hi there"),
        (b"=?utf-8?Q?unclosed", "=?utf-8?Q?unclosed"),
        (b"=?x?Q??=", ""),
        (b"=?utf-8?Q?what?_yes?=", "what? yes"),
    ],
)
def test_encoded_words(value: bytes, expected: str) -> None:
    assert decode_encoded_words(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"text/plain", ("text/plain", {})),
        (b'Text/Plain; Charset="utf-8"', ("text/plain", {"charset": "utf-8"})),
        (b"a/b; name*=utf-8''%C3%A9.pdf; name=x", ("a/b", {"name": "é.pdf"})),
        (b"a/b; name*1*=%A9; name*0*=utf-8''%C3; name*2=.pdf", ("a/b", {"name": "é.pdf"})),
        (b'a/b; name="=?utf-8?Q?=C3=A9?="', ("a/b", {"name": "é"})),
        (b'a/b; name="a;b\\"c"', ("a/b", {"name": 'a;b"c'})),
        (b"a/b; name=\xc3\xa9.pdf", ("a/b", {"name": "é.pdf"})),
        (b'a/b; name="unclosed', ("a/b", {"name": '"unclosed'})),
        (b"", ("", {})),
    ],
)
def test_parameters(value: bytes, expected: tuple[str, dict[str, str]]) -> None:
    assert parse_parameters(value) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\x.doc", "x.doc"),
        ("evil\u202efdp.exe", "evilfdp.exe"),
        ("a\x00b\n.txt", "ab .txt"),
        ("..", ""),
        (".hidden", "hidden"),
        ("con.txt", "_con.txt"),
        ("con .txt", "_con .txt"),
        ("CONIN$", "_CONIN$"),
        ("COM\u00b9.log", "_COM\u00b9.log"),
        ("console.txt", "console.txt"),
        ('a<b>:"c|?*.txt', "a_b___c___.txt"),
        ("ä" * 300 + ".pdf", "ä" * 116 + ".pdf"),
    ],
)
def test_safe_filename(text: str, expected: str) -> None:
    assert safe_filename(text) == expected


def test_clean_line_and_text() -> None:
    assert clean_line(" a\r\n\tb\x00\ud800 ", 10) == "a b\ufffd"
    assert clean_text("a\x00b\r\nc\rd\x1b\ud800") == "ab\nc\nd\ufffd"
