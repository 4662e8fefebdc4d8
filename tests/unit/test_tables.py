"""Tables fit their width, count terminal cells, and never shorten a cell that a command takes as an argument."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emailrouter.cli.tables import Column, display_width, label, minutes, render_table, shorten

ID = "dlv_01m8nxc4x2qgc58zrbbs8syq1z"
COLUMNS = (
    Column("ID", "id"),
    Column("Subject", "subject", shorten=True),
    Column("From", "from", shorten=True),
    Column("Alias", "alias", optional=True),
)


@pytest.mark.parametrize(
    ("text", "width"),
    [("abc", 3), ("請求書", 6), ("e\u0301", 1), ("\u1112\u1161\u11ab", 2), ("ﾊﾝｶｸ", 4), ("👍", 2), ("طلب", 3)],
)
def test_display_width(text: str, width: int) -> None:
    assert display_width(text) == width


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("Invoice", 7, "Invoice"),
        ("Invoice 4711", 8, "Invoice…"),
        ("Invoice 4711", 9, "Invoice…"),  # no space before the ellipsis
        ("請求書の再発行", 6, "請求…"),  # an odd cell stays free
        ("e\u0301" * 9, 4, "e\u0301" * 3 + "…"),
    ],
)
def test_shortened_text(text: str, width: int, shown: str) -> None:
    assert shorten(text, width) == shown


@given(
    st.lists(st.tuples(*[st.text(st.characters(categories=["L", "Mn", "So", "Nd"]), max_size=80)] * 3), max_size=4),
    st.integers(60, 200),
)
def test_table_fits(texts: list[tuple[str, str, str]], width: int) -> None:
    rows = [(ID, *cells) for cells in texts]
    lines = list(render_table(COLUMNS, rows, width))
    assert all(display_width(line) <= width for line in lines)
    assert all(ID in line for line in lines[1:])
    assert "…" not in "".join(render_table(COLUMNS, rows, None)), "the table in full shortens nothing"


def test_optional_column_is_shown_if_the_other_columns_have_space() -> None:
    row = (ID, "s" * 90, "f" * 10, "a" * 20)
    assert "Alias" in next(render_table(COLUMNS, [row], len(ID) + 2 + 30 + 2 + 10 + 2 + 20))
    assert "Alias" not in next(render_table(COLUMNS, [row], len(ID) + 2 + 30 + 2 + 10 + 2 + 19))


def test_identifiers_are_not_shortened_even_if_the_table_does_not_fit() -> None:
    lines = list(render_table(COLUMNS, [(ID, "s" * 90, "f" * 90, "a" * 90)], 40))
    assert lines[1].split() == [ID, "s" * 11 + "…", "f" * 11 + "…"]


def test_texts_for_people() -> None:
    assert [label(name) for name in ("assignedTo", "lastError", "id", "mxRecords", "webhookUrl")] == [
        "Assigned to",
        "Last error",
        "ID",
        "MX records",
        "Webhook URL",
    ]
    assert minutes("2026-11-30T09:36:05.123456Z") == "2026-11-30 09:36Z"
