"""Compares `smtp.data` with a simple reference implementation, for any split of the input."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from smtp.data import ChunkReader, Content, ContentReader, DataReader

PIECES = [b"\r", b"\n", b"\0", b".", b"a", b"\r\n", b"\r\n.\r\n", b"\r\n.", b".\r\n"]
STREAMS = st.lists(st.sampled_from(PIECES), max_size=24).map(b"".join)


def reference(stream: bytes) -> tuple[bytes, bytes] | None:
    """Returns the content and the bytes after its end; None without an end (RFC 5321 section 4.5.2)."""
    lines = stream.split(b"\r\n")
    for number, line in enumerate(lines[:-1]):
        if line == b".":
            content = [line.removeprefix(b".") + b"\r\n" for line in lines[:number]]
            return b"".join(content), b"\r\n".join(lines[number + 1 :])
    return None


def feed(reader: ContentReader, stream: bytes, cuts: list[int]) -> bytes | None:
    """Feeds the stream in pieces. Returns the bytes after the end of the content; None without an end."""
    bounds = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    for start, end in itertools.pairwise(bounds):
        rest = reader.feed(stream[start:end])
        if rest is not None:
            return rest + stream[end:]
    return None


def read(stream: bytes, cuts: list[int], limit: int = 10**9) -> tuple[bytes, bytes] | None:
    content = Content(limit)
    rest = feed(DataReader(content), stream, cuts)
    return None if rest is None else (content.getvalue(), rest)


@given(STREAMS, st.lists(st.integers(0, 100), max_size=6))
def test_result_equals_reference_for_any_split(stream: bytes, cuts: list[int]) -> None:
    assert read(stream, cuts) == reference(stream)


@given(STREAMS)
def test_byte_by_byte(stream: bytes) -> None:
    assert read(stream, list(range(len(stream)))) == reference(stream)


def test_every_short_stream_split_at_every_boundary() -> None:
    """SMTP smuggling uses unusual line endings such as these."""
    for length in range(6):
        for data in itertools.product(b"\r\n\0.a", repeat=length):
            stream = b"x" + bytes(data) + b"QUIT\r\n.\r\nrest"
            expected = reference(stream)
            for cut in range(1, length + 2):
                assert read(stream, [cut]) == expected, (stream, cut)


@given(STREAMS, st.lists(st.integers(0, 100), max_size=4), st.integers(0, 30))
def test_content_past_the_limit_is_discarded_and_the_end_is_found(stream: bytes, cuts: list[int], limit: int) -> None:
    content = Content(limit)
    rest = feed(DataReader(content), stream, cuts)
    expected = reference(stream)
    assert rest == (None if expected is None else expected[1])
    assert content.buffered_bytes <= limit
    if expected is not None:
        assert content.size == len(expected[0])
        assert content.is_too_large == content.is_discarded == (len(expected[0]) > limit)


@given(st.binary(max_size=40), st.integers(0, 30), st.lists(st.integers(0, 100), max_size=4))
def test_chunk_ends_after_its_size(stream: bytes, size: int, cuts: list[int]) -> None:
    content = Content(10**9)
    rest = feed(ChunkReader(content, size), stream, cuts)
    if len(stream) < size:
        assert rest is None
        assert content.getvalue() == stream
    else:
        assert rest == stream[size:]
        assert content.getvalue() == stream[:size]


def test_chunks_form_one_mail() -> None:
    content = Content(100)
    for chunk in (b"one", b"", b"two"):
        assert ChunkReader(content, len(chunk)).feed(chunk) == b""
    assert content.getvalue() == b"onetwo"
    assert content.buffered_bytes == content.size == 6
    content.discard()
    assert content.buffered_bytes == 0
    assert content.is_discarded
    assert not content.is_too_large
