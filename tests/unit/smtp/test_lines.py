"""Compares `smtp.lines` with a reference implementation, for any split of the input."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtp import replies
from smtp.bounds import Bounds
from smtp.commands import CommandError
from smtp.lines import CommandLines

PIECES = [b"\r", b"\n", b"\0", b"NOOP", b"\r\n", b"x" * 600, b"MAIL ", b"y" * 520]
STREAMS = st.lists(st.sampled_from(PIECES), max_size=16).map(b"".join)


def reference(stream: bytes) -> list[bytes | str]:
    """Returns the lines, with `refused` in place of each rejected line."""
    answers: list[bytes | str] = []
    for line in stream.split(b"\r\n")[:-1]:
        limit = 563 if line.startswith(b"MAIL ") else 510
        answers.append("refused" if b"\n" in line or len(line) > limit else line)
    return answers


@given(STREAMS, st.lists(st.integers(0, 10000), max_size=6))
def test_one_result_per_line_for_any_split(stream: bytes, cuts: list[int]) -> None:
    stream += b"\r\n"
    bounds = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    lines = CommandLines()
    answers: list[bytes | str] = []
    for start, end in itertools.pairwise(bounds):
        lines.buffer += stream[start:end]
        more = True
        while more:
            try:
                line = lines.take_line()
            except CommandError:
                answers.append("refused")
            else:
                more = line is not None
                if line is not None:
                    answers.append(line)
    assert answers == reference(stream)
    assert not lines.buffer


def test_endless_line_uses_no_memory_and_is_rejected() -> None:
    lines = CommandLines()
    for _ in range(Bounds.max_skipped_line_bytes // 4096):
        lines.buffer += b"x" * 4096
        assert lines.take_line() is None
        assert not lines.buffer
    lines.buffer += b"x"
    with pytest.raises(CommandError) as raised:
        lines.take_line()
    assert raised.value.reply is replies.LINE_LIMIT_EXCEEDED


@pytest.mark.parametrize(
    "start",
    [b"GET ", b"post /", b"CONNECT mx:25 HTTP/1.1", b"GET / HTTP/1.0\n\n", b"\x16\x03\x01", b"\x16\x03\x03\x02\0\n"],
)
def test_other_protocol_is_rejected_before_its_line_ends(start: bytes) -> None:
    lines = CommandLines()
    lines.buffer += start
    with pytest.raises(CommandError) as raised:
        lines.take_line()
    assert raised.value.reply is replies.NOT_SMTP
    assert lines.take_line() is None


@pytest.mark.parametrize(
    "start", [b"G", b"GET", b"GETTING ", b"HELO", b"\x16", b" GET /", b"MAIL FROM:<a@b.test> X/1.1"]
)
def test_possible_command_is_not_another_protocol(start: bytes) -> None:
    lines = CommandLines()
    lines.buffer += start
    assert lines.take_line() is None
