"""Removal of Authentication-Results fields that claim to be ours."""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.mail.authentication_results import read_authserv_id
from router.mail.forged_results import ForgedResultsFilter

IDS = ("mx.test", "xn--bcher-kva.test")
FORGED = b"Authentication-Results: mx.test; dmarc=pass"
OTHER = b"Authentication-Results: mx.other; dmarc=pass"


def strip_forged(message: bytes, authserv_ids: Collection[str]) -> bytes:
    forged = ForgedResultsFilter(authserv_ids)
    return forged.feed(message) + forged.close()


@pytest.mark.parametrize(
    "field",
    [
        FORGED,
        b"AUTHENTICATION-RESULTS:MX.TEST.;none",
        b"Authentication-Results \t : mx.test; none",
        b"Authentication-Results:\r\n (a\r\n (b) \\)) mx.test\r\n\t1; none",
        b"Authentication-Results:\n\tmx.test; none",
        b'Authentication-Results: "mx.test"; none',
        b'Authentication-Results: "m\\x.test"\r\n 1; none',
        b"Authentication-Results: mx.test",
        b"Authentication-Results: mx.test/1; none",
        "Authentication-Results: BÜCHER.test; none".encode(),
        b"Authentication-Results: XN--bcher-kva.test; none",
        b"Auth\x00entication-Results: m\x00x.test; none",
        b"\x00Authentication-Results\x00: mx.test; none",
        b"Authentication-Results: (mx.test; dmarc=pass",
        b"Authentication-Results: =?us-ascii?q?mx.test?=; dmarc=pass",
        b"Authentication-Results:" + b"\r\n " * 8000 + b"mx.test; none",
        b"Authentication-Results" + b" " * 20_000 + b": mx.test; none",
        b"Authentication-Results: (" + b"a" * 20_000 + b") mx.test; none",
        b"Authentication-Results: mx.test; none (" + b"\r\n a" * 100_000 + b")",
        b"Authentication-Results: mx.test\r\n ; a\r\n \r\n\tb",
    ],
)
@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"])
def test_forged_fields_are_removed(field: bytes, line_end: bytes) -> None:
    field = field.replace(b"\r\n", line_end)
    other = OTHER + line_end + b"To: b" + line_end
    body = line_end + FORGED + line_end
    assert strip_forged(field + line_end + other + body, IDS) == other + body
    assert strip_forged(other + field + line_end + body, IDS) == other + body
    assert strip_forged(other + field + line_end + FORGED + line_end + other + body, IDS) == other + other + body
    assert strip_forged(other + field, IDS) == other[: -len(line_end)]


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\r\n",
        b"\r",
        b"a",
        OTHER + b"\r\n\r\n" + FORGED,
        OTHER + b"\n\n" + FORGED + b"\n\n",
        b"\r\n" + FORGED,
        b"X: a\r\n " + FORGED + b"\r\n\r\n",
        b"X-" + FORGED + b"\r\n\r\n",
        b"ARC-" + FORGED + b"\r\n\r\n",
        b"Authentication-Results-Of: mx.test; none\r\n\r\n",
        b"Authentication-Results\r\nTo: mx.test\r\n\r\n",
        b"Authentication-Results: mx.test.other; none\r\n\r\n",
        b"Authentication-Results: spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=a.test\r\n\r\n",
        b"Authentication-Results: other (mx.test) mx.test; none\r\n\r\n",
        OTHER + b" " * 20_000 + b"\r\n\r\n",
        bytes(range(256)) * 100,
    ],
)
def test_everything_else_is_unchanged(message: bytes) -> None:
    assert strip_forged(message, IDS) == message


def test_too_many_fields_are_removed() -> None:
    message = (OTHER + b"\r\n") * 600 + b"\r\n" + OTHER
    assert strip_forged(message, IDS) == (OTHER + b"\r\n") * 500 + b"\r\n" + OTHER


def test_a_header_of_any_size_in_little_memory() -> None:
    forged = ForgedResultsFilter(IDS)
    returned = 0
    for piece in [FORGED + b"; x=" + b"a" * 100_000] + [b"b" * 262_144] * 40 + [b"\r\nX: y"]:
        returned += len(forged.feed(piece))
        assert len(forged._data) < 300_000
    for _ in range(200):
        returned += len(forged.feed(b"c" * 262_144))
        assert len(forged._data) < 300_000
    assert forged.is_finished is False
    end = forged.feed(b"\r\n" + FORGED + b"\r\nTo: b\r\n\r\n" + FORGED) + forged.close()
    assert end == b"\r\nTo: b\r\n\r\n" + FORGED
    assert returned == len(b"X: y") + 200 * 262_144


def seen_ids(message: bytes, line_end: bytes) -> list[str]:
    """Returns the ids that a program sees which ends lines in a certain manner."""
    fields: list[bytes] = []
    for line in re.split(line_end, message):
        if not line:
            break
        if line.startswith((b" ", b"\t")) and fields:
            fields[-1] += b"\r\n" + line
        else:
            fields.append(line)
    found = []
    for field in fields:
        name, colon, value = field.partition(b":")
        if colon and name.replace(b"\x00", b"").rstrip(b" \t").lower() == b"authentication-results":
            authserv_id = read_authserv_id(value.replace(b"\x00", b""))
            found.append(authserv_id[0] if authserv_id else "")
    return found


LINE_ENDS = (rb"\r\n|\r|\n", rb"\r?\n", rb"\r\n")
PIECES = (
    *(b"\r", b"\n", b"\r\n", b" ", b"\t", b"\x00", b":", b"(", b")", b'"', b"a", b"X: a", b"; dmarc=pass"),
    *(
        FORGED,
        b"Authentication-Results",
        b": mx.test",
        OTHER,
        b"\r\n" + FORGED + b"\r\n",
        b"\n" + FORGED,
        b"\r" + FORGED,
    ),
)


@given(st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join), st.lists(st.integers(0, 400), max_size=10))
@example(b"X: a\r" + FORGED + b"\n\n" + FORGED + b"\r\n\r\n", [])
@example(b"X: a\n" + FORGED + b"\r\n\r\n\r\n" + FORGED + b"\r\n", [])
@example(b"X: a\n\nb\r\n" + FORGED + b"\r\n\r\n" + FORGED, [])
@example(b"X: a\r\rb\n" + FORGED + b"\n\n" + FORGED, [])
@example(b" \n" + FORGED + b"\r\r\n" + FORGED + b"\r\n\r", [2])
def test_no_program_sees_a_forged_field(message: bytes, cuts: list[int]) -> None:
    cleaned = strip_forged(message, IDS)
    for line_end in LINE_ENDS:
        assert not {"mx.test", ""} & set(seen_ids(b"Received: x\r\n" + cleaned, line_end))
    if not any({"mx.test", ""} & set(seen_ids(message, line_end)) for line_end in LINE_ENDS):
        assert cleaned == message
    assert strip_forged(cleaned, IDS) == cleaned
    # In any pieces, the result is the same.
    forged = ForgedResultsFilter(IDS)
    edges = [0, *sorted(cuts), len(message)]
    parts = [forged.feed(message[first:last]) for first, last in pairwise(edges)]
    assert b"".join(parts) + forged.close() == cleaned


@given(st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join))
def test_single_bytes_give_the_same_result(message: bytes) -> None:
    forged = ForgedResultsFilter(IDS)
    parts = [forged.feed(message[n : n + 1]) for n in range(len(message))]
    assert b"".join(parts) + forged.close() == strip_forged(message, IDS)
