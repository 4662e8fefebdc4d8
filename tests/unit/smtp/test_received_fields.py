"""The hop limit (RFC 5321 section 6.3) counts only the Received fields of the header."""

import pytest

from smtp import policy, replies

FIELD = b"Received: from a by b\r\n"


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (b"", 0),
        (b"Subject: none\r\n\r\ntext", 0),
        (FIELD + b"\r\n", 1),
        (b"Subject: one\r\n" + FIELD + b"\r\ntext", 1),
        (b"rEcEiVeD: from a by b\r\n" + FIELD * 2, 3),
        (FIELD + b"\treceived: folded\r\n" + b"X-Received: other\r\n\r\n", 1),
        (FIELD + b"\r\n" + FIELD * 9, 1),
        (b"\r\n" + FIELD * 9, 0),
        (b"Subject: a bare LF ends no line\nReceived: from a by b\r\n\r\n", 0),
    ],
)
def test_only_header_fields_count(content: bytes, count: int) -> None:
    assert policy.received_fields_reply(content, count) is None
    if count:
        assert policy.received_fields_reply(content, count - 1) is replies.LOOP
