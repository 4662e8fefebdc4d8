"""The status and Retry-After of a response, even if its header section is malformed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.outbound.recorder import parse_head

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("received", "status"),
    [
        (b"HTTP/1.1 200 OK\r\n", 200),
        (b"HTTP/1.1 200 OK\n", 200),
        (b"HTTP/1.1 200\r\n", 200),
        (b"HTTP/1.1 200 \r\n", 200),
        (b"HTTP/1.1\t200\tOK\r\n", 200),
        (b"HTTP/1.0 202 Gr\xfc\xdfe \x00\r\n", 202),
        (b"\r\nHTTP/1.1 204 No Content\r\n", 204),
        (b"HTTP/1.1 200 O", 200),  # the connection was closed within the reason phrase
        (b"HTTP/1.1 600 what\r\n", 600),
        (b"HTTP/1.1 101 Switching Protocols\r\n", 101),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Busy\r\n", 503),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nretry-after: 9\r\n\r\nHTTP/1.1 200 OK\r\n", 200),
        (b"HTTP/1.1 100 Continue\r\nHTTP/1.1 404 Not Found\r\n", 404),  # without the empty line after the 100
        (b"HTTP/1.1 100 Continue\r\n\r\n", None),
        (b"http/1.1 200 OK\r\n", None),  # the version is case-sensitive (RFC 9112 section 2.3)
        (b"HTTP/11 200 OK\r\n", None),
        (b"HTTP/1.1 2000 OK\r\n", None),
        (b"HTTP/1.1 20\r\n", None),
        (b"HTTP/1.1 200", None),  # more digits might have followed
        (b"HTTP/1.1 OK 200\r\n", None),
        (b"220 mx.test ESMTP\r\nHTTP/1.1 200 OK\r\n", None),
        (b"", None),
    ],
)
def test_status_lines(received: bytes, status: int | None) -> None:
    head = parse_head(received)
    assert (head and head[0]) == status


@given(st.integers(200, 999), st.binary(max_size=40), st.binary(max_size=600))
def test_status_does_not_depend_on_later_bytes(status: int, reason: bytes, rest: bytes) -> None:
    head = parse_head(b"HTTP/1.1 %d " % status + reason + b"\r\n" + rest)
    assert head is not None
    assert head[0] == status


def test_retry_after_among_malformed_fields() -> None:
    head = parse_head(
        b"HTTP/1.1 103 Hints\r\nRetry-After: 1\r\n\r\nHTTP/1.1 429 Slow\r\nX-\xff: 1\r\nretry-AFTER:  7 \r\n"
        b"Retry-After: 8\r\nContent-Length: x\r\n\r\nrate_limited"
    )
    assert head == (429, {"retry-after": "7"})
