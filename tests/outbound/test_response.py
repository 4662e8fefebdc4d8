"""The parser of responses: the status line decides, whatever follows it and however it is cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.outbound.response import MAX_HEAD, ResponseParser

OK = b"HTTP/1.1 200 OK\r\n"
PIECES = st.lists(st.integers(0, 200), max_size=5)


def parsed(data: bytes, cuts: list[int] | None = None, *, limit: int = 100, eof: bool = True) -> ResponseParser:
    parser = ResponseParser(limit)
    start = 0
    for cut in sorted(cuts or []):
        parser.feed(data[start:cut])
        start = max(start, min(cut, len(data)))
    parser.feed(data[start:])
    if eof:
        parser.feed_eof()
    return parser


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"HTTP/1.1 200 OK\r\n", 200),
        (b"HTTP/1.1 200 OK\n", 200),
        (b"HTTP/1.1 200\r\n", 200),
        (b"HTTP/1.1 200 \r\n", 200),
        (b"HTTP/1.1\t200\tOK\r\n", 200),
        (b"HTTP/1.0 202 Gr\xfc\xdfe \x00\r\n", 202),
        (b"\r\nHTTP/1.1 204 No Content\r\n", 204),
        (b"HTTP/1.1 299 " + b"x" * 200_000, 299),
        (b"HTTP/1.1 200 O", 200),  # closed inside the reason
        (b"HTTP/1.1 600 what\r\n", 600),
        (b"HTTP/1.1 101 Switching Protocols\r\n", 101),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Busy\r\n", 503),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nretry-after: 9\r\n\r\nHTTP/1.1 200 OK\r\n", 200),
        (b"HTTP/1.1 100 Continue\r\nHTTP/1.1 404 Not Found\r\n", 404),  # the empty line is missing
        (b"HTTP/1.1 100 Continue\r\n\r\n", None),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 5000 + OK, None),  # bounded
        (b"http/1.1 200 OK\r\n", None),  # RFC 9112 2.3: case-sensitive
        (b"HTTP/11 200 OK\r\n", None),
        (b"HTTP/1.1 2000 OK\r\n", None),
        (b"HTTP/1.1 20\r\n", None),
        (b"HTTP/1.1 200", None),  # more digits might have followed
        (b"HTTP/1.1 OK 200\r\n", None),
        (b"220 mx.test ESMTP\r\nHTTP/1.1 200 OK\r\n", None),
        (b"", None),
    ],
)
def test_status_lines(line: bytes, status: int | None) -> None:
    assert parsed(line).status == status
    assert parsed(line, list(range(0, 60, 7))).status == status


@given(st.integers(200, 999), st.binary(max_size=40), st.binary(max_size=600), PIECES)
@settings(deadline=None)
def test_nothing_after_the_status_line_changes_it(status: int, reason: bytes, rest: bytes, cuts: list[int]) -> None:
    parser = parsed(b"HTTP/1.1 %d " % status + reason.replace(b"\n", b"") + b"\r\n" + rest, cuts)
    assert parser.status == status
    assert len(parser.excerpt) <= 100


@given(st.binary(max_size=300), PIECES)
@settings(deadline=None)
def test_no_bytes_raise_and_cuts_do_not_matter(data: bytes, cuts: list[int]) -> None:
    whole, cut = parsed(data), parsed(data, cuts)
    assert (whole.status, whole.headers, whole.excerpt) == (cut.status, cut.headers, cut.excerpt)


@pytest.mark.parametrize(
    ("rest", "excerpt"),
    [
        (b"Content-Length: 2\r\n\r\nok", b"ok"),
        (b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        (b"Content-Length: 0\r\n\r\n", b""),
        (b"Transfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;a=b\r\nk\r\n0\r\nT: x\r\n\r\n", b"ok"),
        (b"Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", b""),
        (b"Content-Length: 100\r\n\r\n" + b"x" * 100, b"x" * 100),
    ],
)
def test_clean_responses_leave_the_connection_usable(rest: bytes, excerpt: bytes) -> None:
    for size in (1, 3, 1000):
        parser = parsed(OK + rest, list(range(size, 200, size)), eof=False)
        assert parser.ended
        assert parser.reusable
        assert parser.excerpt == excerpt
    parser.feed(b"H")
    assert not parser.reusable


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 2\r\n\r\nok\xe2\x9c\x93",
        b"Content-Length: 0\r\n\r\nok",
        b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"Content-Length: 2, 2\r\n\r\nok",
        b"Content-Length: -2\r\n\r\nok",
        b"Content-Length: \xb2\r\n\r\nok",
        b"Content-Length: " + b"9" * 40 + b"\r\n\r\nok",
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"Transfer-Encoding: gzip\r\n\r\nok",
        b"Transfer-Encoding: chunked\r\n\r\n-2\r\nok",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nok",
        b"Content-Length: 2\nA: b\r\n\r\nok",
        b"no colon\r\nContent-Length: 2\r\n\r\nok",
        b": no name\r\nContent-Length: 2\r\n\r\nok",
        b"Content-Length : 2\r\n\r\nok",
        b"A: b\r\n folded\r\nContent-Length: 2\r\n\r\nok",
        b"Connection: close\r\nContent-Length: 2\r\n\r\nok",
        b"Content-Length: 101\r\n\r\n" + b"x" * 101,
        b"\r\nuntil the end",
    ],
)
def test_what_is_unclear_is_the_last_response_of_its_connection(rest: bytes) -> None:
    parser = parsed(OK + rest)
    assert parser.status == 200
    assert not parser.reusable


@pytest.mark.parametrize("status", [b"204", b"304"])
def test_responses_without_a_body(status: bytes) -> None:
    start = b"HTTP/1.1 " + status + b" \r\n"
    assert parsed(start + b"\r\n", eof=False).reusable
    assert not parsed(start + b"\r\nok", eof=False).reusable
    assert not parsed(start + b"Content-Length: 2\r\n\r\n", eof=False).reusable
    assert not parsed(start + b"Transfer-Encoding: chunked\r\n\r\n", eof=False).reusable


def test_readable_fields_survive_unreadable_ones() -> None:
    parser = parsed(
        b"HTTP/1.1 429 Slow\r\nX-\xff: 1\r\nSet-Cookie: "
        + b"c" * 20_000
        + b"\r\nRetry-After:  7 \r\nretry-after: 8\r\n"
        b"Content-Length: x\r\n\r\nrate_limited"
    )
    assert parser.headers["retry-after"] == "7"
    assert parser.excerpt == b"rate_limited"


@pytest.mark.parametrize("field", [b"A: b\r\n", b"A: " + b"b" * 9000 + b"\r\n", b"\r\n\x00", b"x"])
def test_memory_is_bounded(field: bytes) -> None:
    parser = parsed(OK + field * (4 * MAX_HEAD // len(field)))
    assert parser.status == 200
    assert len(parser.excerpt) <= 100
    assert sum(len(name) + len(value) for name, value in parser.headers.items()) <= MAX_HEAD


def test_surplus_of_the_response_before_is_skipped() -> None:
    for before in (b"ok", b"\xe2\x9c\x93", b"<html>\r\n<p>\r\n\r\n"):
        parser = ResponseParser(100)
        parser.reused = True
        parser.feed(before + b"HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n\r\nno_service")
        assert parser.status == 404
        assert parser.excerpt == b"no_service"
        assert not parser.reusable
