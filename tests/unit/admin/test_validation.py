"""Validation rejects deceptive texts and texts that cannot be stored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.admin import validation
from router.errors import Refused


@pytest.mark.parametrize(
    "bad",
    [
        "",
        " ",
        "a\0b",
        "a\nb",
        "a\x1bb",
        "a\u202eb",
        "a\u2066b",
        "a\ud800b",
        "x" * 201,
        "A\u200bda",
        "Ada\u00ad",
        "\u200fAda",
        "\u3164",
    ],
)
def test_a_line_rejects_deceptive_characters(bad: str) -> None:
    with pytest.raises(Refused) as refused:
        validation.validate_line(bad, "name")
    assert (refused.value.code, refused.value.field) == ("invalid_request", "name")


def test_a_line_is_normalized_and_trimmed() -> None:
    assert validation.validate_line("  Bu\u0308ro  ", "name") == "Büro"


def test_a_line_keeps_joiners_within_words() -> None:
    assert validation.validate_line("نمی\u200cخواهم", "name") == "نمی\u200cخواهم"


def test_a_text_keeps_its_line_breaks() -> None:
    assert validation.validate_text("one\r\ntwo\n\tthree", "text") == "one\ntwo\n\tthree"


@pytest.mark.parametrize(
    ("text", "number"),
    [("42", 42), ("#42", 42), (" #42 ", 42), ("0", 0), ("9" * 12, 10**12 - 1)],
)
def test_ticket_numbers(text: str, number: int) -> None:
    assert validation.parse_ticket_number(text) == number


@pytest.mark.parametrize("text", ["", "#", "##1", "-1", "1.0", "\u0664\u0662", "9" * 13, "ticket_1"])
def test_invalid_ticket_numbers(text: str) -> None:
    assert validation.parse_ticket_number(text) is None


@given(st.text())
def test_accepted_lines_can_be_stored_and_printed(text: str) -> None:
    try:
        kept = validation.validate_line(text, "name")
    except Refused:
        return
    kept.encode("utf-8")
    assert "\0" not in kept
    assert kept.splitlines() == [kept]
    assert validation.validate_line(kept, "name") == kept
