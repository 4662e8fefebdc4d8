import re

import pytest
from dkim.canonicalization import Relaxed, Simple
from hypothesis import example, given
from hypothesis import strategies as st

from router.mail.dkim.canonicalization import (
    SignableField,
    canonicalize_body,
    canonicalize_field,
    header_hash_input,
    read_message,
    select_fields,
)
from router.mail.headers import find_header_block, read_fields

PIECES = st.lists(
    st.sampled_from([b" ", b"\t", b"\r\n", b"\n", b"\r", b"a", b"b:", b"From: a", b"\x00", b"\xff", b"\x0b"]),
    max_size=40,
)


def test_example_of_the_rfc() -> None:
    """RFC 6376 section 3.4.5."""
    message = read_message(b"A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n C \r\nD \t E\r\n\r\n\r\n")
    assert [canonicalize_field(field, "relaxed") for field in message.fields] == [b"a:X\r\n", b"b:Y Z\r\n"]
    assert [canonicalize_field(field, "simple") for field in message.fields] == [b"A: X\r\n", b"B : Y\t\r\n\tZ  \r\n"]
    assert canonicalize_body(message.body, "relaxed") == b" C\r\nD E\r\n"
    assert canonicalize_body(message.body, "simple") == b" C \r\nD \t E\r\n"


@pytest.mark.parametrize(
    ("body", "simple", "relaxed"),
    [
        (b"", b"\r\n", b""),
        (b"\r\n\r\n", b"\r\n", b""),
        (b" \t\r\n", b" \t\r\n", b""),
        (b" ", b" \r\n", b""),
        (b"a", b"a\r\n", b"a\r\n"),
        (b"a \r\n ", b"a \r\n \r\n", b"a\r\n"),
        (b"a\n\nb\n\n", b"a\r\n\r\nb\r\n", b"a\r\n\r\nb\r\n"),
        (b"a\r\r\n\r\n", b"a\r\r\n", b"a\r\r\n"),
        (b"a\r\n\r", b"a\r\n\r\r\n", b"a\r\n\r\r\n"),
        (b"\r\r\n", b"\r\r\n", b"\r\r\n"),
        (b"\xe4\x00 \x00", b"\xe4\x00 \x00\r\n", b"\xe4\x00 \x00\r\n"),
    ],
)
def test_bodies(body: bytes, simple: bytes, relaxed: bytes) -> None:
    crlf = read_message(b"a: b\r\n\r\n" + body).body
    assert (canonicalize_body(crlf, "simple"), canonicalize_body(crlf, "relaxed")) == (simple, relaxed)


@given(PIECES.map(b"".join))
@example(b"a\r\r\n\r\n")
def test_bodies_as_dkimpy_sees_them(body: bytes) -> None:
    body = re.sub(rb"\r?\n", b"\r\n", body)
    assert canonicalize_body(body, "simple") == Simple.canonicalize_body(body)
    # dkimpy keeps white space that no CRLF follows.
    body = body.rstrip(b" \t") if not body.endswith(b"\n") else body
    assert canonicalize_body(body, "relaxed") == Relaxed.canonicalize_body(body)


@given(PIECES.map(b"".join))
def test_signed_header_is_the_displayed_one(start: bytes) -> None:
    """Each field that the parser reads is a field for the signature, in the same order."""
    content = start + b"From: c\r\nFrom : d\r\n\r\nFrom: e\r\n"
    read = read_fields(find_header_block(content).data, frozenset({b"from"})).get(b"from", [])
    found = [field.raw.partition(b":")[2] for field in read_message(content).fields if field.name == b"from"]
    assert [b" ".join(value.split()) for value in found] == [b" ".join(value.split()) for value in read]


def test_fields_are_taken_from_the_bottom() -> None:
    fields = [SignableField(name, raw) for name, raw in ((b"a", b"a: 1"), (b"b", b"b: 2"), (b"a", b"a: 3"))]
    selected = select_fields(fields, [b"a", b"c", b"a", b"a", b"b"])
    assert [field.raw for field in selected] == [b"a: 3", b"a: 1", b"b: 2"]
    signature = SignableField(b"dkim-signature", b"DKIM-Signature:  b=")
    assert header_hash_input(selected, signature, "relaxed") == b"a:3\r\na:1\r\nb:2\r\ndkim-signature:b="
