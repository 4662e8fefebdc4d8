"""Unicode normalisation in linear time."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.admin import validation
from router.channels.slack import CHANNEL
from router.errors import Refused
from router.mail.address import AddressError, domain_key, parse_mailbox
from router.mail.mailboxes import normalize_address
from router.search import terms
from router.unicode_text import MAX_MARKS, has_long_marks, is_visible, limit_marks, normalize

ROOT = Path(__file__).parents[2]
ACUTE, DOT = "\u0301", "\u0323"
# Marks of several combining classes, decomposable marks, and letters that decompose to marks.
MARKS = st.sampled_from("\u0301\u0323\u0344\u0345\u0f71\u0f73\u3099\uff9e\u05b0\u064b\u0e38\u1dc0\U0001d165")
LETTERS = st.sampled_from("a \u00e9\u1f82\u1100\u1161\ud55c\u30ab\ufdfa\U0001f600")
TEXTS = st.lists(st.one_of(st.lists(MARKS, max_size=80).map("".join), LETTERS, st.text(max_size=3)), max_size=12).map(
    "".join
)


def longest_run(text: str) -> int:
    runs = "".join(
        "m" if unicodedata.combining(character) else " " for character in unicodedata.normalize("NFKD", text)
    )
    return max(map(len, runs.split()), default=0)


@given(TEXTS)
def test_no_run_is_longer_than_the_limit(text: str) -> None:
    limited = limit_marks(text)
    assert longest_run(limited) <= MAX_MARKS
    assert limit_marks(limited) == limited
    assert has_long_marks(text) == (limited != text)


@given(TEXTS)
def test_text_within_the_limit_is_unchanged(text: str) -> None:
    if longest_run(text) <= MAX_MARKS:
        assert limit_marks(text) == text
        for form in ("NFC", "NFD", "NFKC", "NFKD"):
            assert normalize(form, text) == unicodedata.normalize(form, text)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a" + ACUTE * 31, "a" + ACUTE * 30),
        ("a" + ACUTE * 40 + "b" + DOT * 40, "a" + ACUTE * 30 + "b" + DOT * 30),
        (ACUTE * 40, ACUTE * 30),
        ("\u00e9" + ACUTE * 30, "\u00e9" + ACUTE * 29),
        ("\u0344" * 16, "\u0344" * 15),
        ("\uff76" + "\uff9e" * 31, "\uff76" + "\uff9e" * 30),
        ("x" + (ACUTE + DOT) * 100 + "\nnext", "x" + (ACUTE + DOT) * 15 + "\nnext"),
        (
            "Zwölf Boxkämpfer, 한국어, ภาษาไทย, हिन्दी, tiếng Việt",
            "Zwölf Boxkämpfer, 한국어, ภาษาไทย, हिन्दी, tiếng Việt",
        ),
    ],
)
def test_limit_marks(text: str, kept: str) -> None:
    assert limit_marks(text) == kept


def test_no_combining_marks_beyond_the_first_two_planes() -> None:
    characters = (chr(code) for code in range(0x20000, 0x110000) if not 0xD800 <= code < 0xE000)
    assert not any(unicodedata.combining(character) for character in characters)


def test_no_other_module_normalises() -> None:
    callers = [
        str(path.relative_to(ROOT))
        for top in ("api", "config", "emailrouter", "router", "smtp")
        for path in (ROOT / top).rglob("*.py")
        if re.search(r"unicodedata\.normalize\(|import normalize as|from unicodedata", path.read_text())
    ]
    assert callers == ["router/unicode_text.py"]


def test_search_finds_text_with_too_many_marks() -> None:
    long = "cafe" + (ACUTE + DOT) * 5000
    assert terms.text_words(f"one {long} two") == ["one", "cafe", "two"]
    query = terms.parse_query("ws_1", "caf\u00e9")
    assert query is not None
    assert "'cafe'" in query.prefix


@pytest.mark.parametrize("marks", [ACUTE * 31, (DOT + ACUTE) * 40, "\uff9e" * 31])
def test_address_with_too_many_marks_is_invalid(marks: str) -> None:
    with pytest.raises(AddressError, match="combining marks"):
        parse_mailbox(f"a{marks}@example.org")
    with pytest.raises(AddressError, match="combining marks"):
        parse_mailbox(f"a@a{marks}.org")
    with pytest.raises(AddressError, match="combining marks"):
        domain_key(f"a{marks}.org")


def test_address_with_the_maximum_number_of_marks() -> None:
    mailbox = parse_mailbox(f"a{ACUTE * 29}@example.org")
    assert mailbox.local_key == "\u00e1" + ACUTE * 28


def test_header_addresses_are_compared_with_limited_marks() -> None:
    assert normalize_address(f"A{ACUTE * 40}@B{ACUTE * 40}.org") == normalize_address(
        f"a{ACUTE * 30}@b{ACUTE * 30}.org"
    )


def test_input_with_too_many_marks_is_refused() -> None:
    with pytest.raises(Refused, match="more than 30 combining marks"):
        validation.validate_line("x" + ACUTE * 31, "name")
    assert validation.validate_line("e" + ACUTE, "name") == "\u00e9"


def test_webhook_host_with_too_many_marks_is_refused() -> None:
    with pytest.raises(Refused, match="host name is not valid"):
        CHANNEL.parse_settings({"webhookUrl": f"https://a{ACUTE * 400}.example/x"}, allow_private=False)


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("", False),
        (" \u200b\u200d", False),
        ("\u0301", False),
        ("\u00ad", False),
        ("\u3164\u2800", False),
        ("\u4e2d", True),
    ],
)
def test_is_visible(text: str, visible: bool) -> None:
    assert is_visible(text) is visible
