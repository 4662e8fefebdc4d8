"""Joining the wrapped lines of a message changes no word, and nothing but prose."""

from textwrap import wrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.dashboard.wrapped_lines import join_wrapped_lines

LETTER = (
    "my Arc 45 was delivered this afternoon. The box looked fine from outside, but the glass shade has a crack "
    "from the rim down to the fitting, and I'd rather have a new one than send back the whole lamp."
)
LINE = "This line is as long as the lines that mail programs wrap,"  # 58 characters


@pytest.mark.parametrize("width", [60, 72, 76, 78])
def test_a_wrapped_paragraph_is_one_line(width: int) -> None:
    wrapped = "\n".join(wrap(LETTER, width))
    assert wrapped.count("\n") >= 2
    assert join_wrapped_lines(f"Hello,\n\n{wrapped}\n\nThanks,\nOwen\n") == f"Hello,\n\n{LETTER}\n\nThanks,\nOwen\n"


@pytest.mark.parametrize(
    "following",
    [
        "Owen",
        "Lindenstr. 12, 10969 Berlin",
        "- continued as a list of things that are long enough for it",
        "* continued as a list of things that are long enough for it",
        "2. continued as a list of things that are long enough for it",
        "b) continued as a list of things that are long enough for it",
        "> continued as a quote of something that is long enough for it",
        "  continued with an indent, as in code or in a table of items",
        "https://shop.test/an/address/that/is/long/enough/for/a/line",
        "lamp            Arc 45      189.00       2       378.00",
        "lamp | Arc 45 | 189.00 | 2 | 378.00 | and something more",
        "-- ",
        "",
    ],
)
def test_other_lines_are_kept(following: str) -> None:
    for line in (LINE, LINE[:40], LINE.replace(" ", "_"), f"{LINE[:-1]}:", LINE * 2):
        text = f"{line}\n{following}"
        assert join_wrapped_lines(text) == text


def test_a_line_that_had_room_for_the_next_word_is_kept() -> None:
    text = f"{LINE}\nand this line is a longer one, so that the word would have fitted in\n{LINE}\nend"
    assert join_wrapped_lines(text).split("\n")[::2] == [LINE, "end"]


WORDS = st.sampled_from(
    ["a", "lamp", "Lamp", "shade,", "crack.", "1.", "b)", "-", ">", "|", "灯", "مصباح", "\t", "  ", "\r"]
)
LINES = st.lists(st.lists(WORDS, min_size=1, max_size=25).map(" ".join), max_size=12).map("\n".join)


@given(LINES)
def test_words_and_their_order_never_change(text: str) -> None:
    joined = join_wrapped_lines(text)
    assert joined.split() == text.split()
    assert [part.split() for part in joined.split("\n\n")] == [part.split() for part in text.split("\n\n")]
