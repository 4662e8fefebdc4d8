"""Truncation and normalisation of text."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.channels.untrusted_text import Markup, normalize_line, normalize_text, truncate, utf16_length

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
GERMANY, FRANCE = "\U0001f1e9\U0001f1ea", "\U0001f1eb\U0001f1f7"
ANY = st.text(st.characters(codec=None, categories=None))


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab\u2026"),
        ("ab cd", 4, "ab\u2026"),
        ("ab" + FAMILY, 9, "ab\u2026"),
        ("ab" + FAMILY, 10, "ab" + FAMILY),
        ("x" + GERMANY + FRANCE, 7, "x" + GERMANY + "\u2026"),
        (GERMANY + FRANCE, 7, GERMANY + "\u2026"),
        ("ae\u0301i", 3, "a\u2026"),
        ("a\U0001f44d\U0001f3fdb", 5, "a\u2026"),
        ("\U0001f4ec\U0001f4ec", 3, "\U0001f4ec\u2026"),
        ("ab\u2764\ufe0fcd", 4, "ab\u2026"),
    ],
)
def test_truncate(text: str, limit: int, expected: str) -> None:
    assert truncate(text, limit) == expected


def test_unlimited_marks_are_truncated() -> None:
    assert utf16_length(truncate("a" + "\u0301" * 1000, 100)) == 100


@given(ANY, st.integers(min_value=1, max_value=50))
def test_truncated_text_fits_the_limit(text: str, limit: int) -> None:
    shown = truncate(text, limit)
    assert utf16_length(shown) <= limit
    assert shown == text or shown.endswith("\u2026")
    assert text.startswith(shown.removesuffix("\u2026"))


@given(ANY, st.integers(min_value=1, max_value=50))
def test_the_limit_counts_escape_sequences(text: str, limit: int) -> None:
    markup = Markup({"a": "bc", "0": "xyz"}, re.compile("b"), "cc")
    shown = markup.escape(text, limit)
    assert utf16_length(shown) <= limit
    unlimited = markup.escape(text, 10_000)
    assert (shown == unlimited) == (utf16_length(unlimited) <= limit)
    assert not set("ab0") & set(shown.replace("bc", ""))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" a\r\nb\rc\u2028d\x85e ", "a\nb\nc\nd\ne"),
        ("a\n\n\n\n\n \t\n\nb", "a\n\n\nb"),
        ("a\x00\x08\x1b[0m\x7f\x9fb", "a[0mb"),
        ("\ufeffabc\u202edef\u2069", "abcdef"),
        ("\u05d0\u200f!", "\u05d0\u200f!"),
        ("a\ud800b\udfff", "a\ufffdb\ufffd"),
        ("a\tb", "a\tb"),
        (FAMILY, FAMILY),
    ],
)
def test_normalize_text(text: str, expected: str) -> None:
    assert normalize_text(text) == expected


def test_normalize_line() -> None:
    assert normalize_line(" a\r\n\tb \u00a0 c\u2029") == "a b c"
