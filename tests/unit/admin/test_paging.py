"""Pagination: cursors and limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import ids
from router.admin import paging
from router.errors import Refused


@given(st.lists(st.integers(), max_size=30, unique=True), st.integers(1, 10))
def test_all_pages_together_are_the_list(numbers: list[int], limit: int) -> None:
    known = sorted((ids.new_id("dom") for _ in numbers), reverse=True)
    seen: list[str] = []
    cursor: str | None = None
    while True:
        window = paging.page_request("dom", limit, cursor)
        page = window.to_page([x for x in known if x < window.position][: window.row_limit], lambda x: x)
        seen += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == known


@pytest.mark.parametrize("cursor", ["", "x", "äöü", "ZG9tXw", paging.encode_cursor("user_" + "0" * 26), "a" * 600])
def test_a_cursor_of_another_list_is_rejected(cursor: str) -> None:
    with pytest.raises(Refused) as refused:
        paging.page_request("dom", 10, cursor)
    assert refused.value.field == "cursor"


@pytest.mark.parametrize("place", ["\0", "@a\0.example", "user_" + "0" * 25 + "\0"])
def test_a_cursor_with_nul_is_rejected(place: str) -> None:
    with pytest.raises(Refused) as refused:
        paging.decode_cursor(paging.encode_cursor(place))
    assert (refused.value.code, refused.value.field) == ("invalid_request", "cursor")


@pytest.mark.parametrize("limit", [0, -1, 201])
def test_a_limit_out_of_range_is_rejected(limit: int) -> None:
    with pytest.raises(Refused) as refused:
        paging.page_request("dom", limit, None)
    assert refused.value.field == "limit"
