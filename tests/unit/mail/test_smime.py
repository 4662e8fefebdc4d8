"""The message inside opaque signed-data is parsed. Other S/MIME parts remain files."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.mail.body_parts import MAX_CONTAINERS
from router.mail.parse import extract_attachment, parse
from router.mail.smime import classify_pkcs7, extract_signed

SIGNED, ENVELOPED, DATA = "2a864886f70d010702", "2a864886f70d010703", "2a864886f70d010701"
INNER = (
    b"Content-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\n\r\nThe contract is attached.\r\n--q\r\n"
    b"Content-Type: application/pdf; name=contract.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n--q--\r\n"
)
HEAD = (
    b"Content-Type: application/pkcs7-mime; name=smime.p7m%s\r\nContent-Transfer-Encoding: base64\r\n"
    b"Content-Disposition: attachment; filename=smime.p7m\r\n\r\n"
)
END = b"\0\0"


def encode_element(tag: int, contents: bytes) -> bytes:
    size = len(contents)
    length = bytes([size]) if size < 128 else b"\x83" + size.to_bytes(3, "big")
    return bytes([tag]) + length + contents


def encode_cms(content: bytes, kind: str = SIGNED) -> bytes:
    content = encode_element(0x30, encode_element(6, bytes.fromhex(DATA)) + encode_element(0xA0, content))
    signed = encode_element(
        0x30, encode_element(2, b"\1") + encode_element(0x31, b"") + content + encode_element(0x31, b"")
    )
    return encode_element(0x30, encode_element(6, bytes.fromhex(kind)) + encode_element(0xA0, signed))


def encode_streamed(inner: bytes) -> bytes:
    """Encodes signed-data in BER with indefinite lengths, and its content as nested strings."""
    pieces = b"".join(encode_element(4, inner[at : at + 50]) for at in range(0, len(inner), 50))
    digests = b"\x31\x80" + b"\x30\x80" + encode_element(6, b"\x2a") + END + END
    content = (
        b"\x30\x80"
        + encode_element(6, bytes.fromhex(DATA))
        + b"\xa0\x80\x24\x80"
        + encode_element(0x24, pieces)
        + END
        + END
        + END
    )
    return (
        b"\x30\x80"
        + encode_element(6, bytes.fromhex(SIGNED))
        + b"\xa0\x80\x30\x80"
        + encode_element(2, b"\1")
        + digests
        + content
    )


def make_mail(data: bytes, smime_type: bytes = b"") -> bytes:
    return HEAD % (b"; smime-type=" + smime_type if smime_type else b"") + base64.encodebytes(data)


@pytest.mark.parametrize(
    "data",
    [
        encode_cms(encode_element(4, INNER)),
        encode_cms(encode_element(0x24, encode_element(4, INNER))),
        encode_streamed(INNER),
    ],
)
@pytest.mark.parametrize("head", [b"application/pkcs7-mime", b"application/x-pkcs7-mime", b"application/octet-stream"])
def test_signed_message_is_read(data: bytes, head: bytes) -> None:
    content = make_mail(data).replace(b"application/pkcs7-mime", head, 1)
    found = parse(content)
    assert found.text == "The contract is attached."
    assert [(listed.filename, listed.kind, listed.size) for listed in found.attachments] == [
        ("contract.pdf", "file", 3),
        ("smime.p7m", "signed", len(data)),
    ]
    assert found.warnings == ("S/MIME signature not verified",)
    taken = extract_attachment(content, 1)
    assert taken is not None
    assert taken.data == b"ABC"


def test_encrypted_message_stays_a_file() -> None:
    for smime_type in (b"", b"enveloped-data", b"signed-data"):
        found = parse(make_mail(encode_cms(encode_element(4, INNER), ENVELOPED), smime_type))
        assert [listed.kind for listed in found.attachments] == ["encrypted"]
        assert found.warnings == ("encrypted: content not readable", "no text, only an encrypted part")


def test_encrypted_inside_signed() -> None:
    found = parse(make_mail(encode_cms(encode_element(4, make_mail(encode_cms(encode_element(4, INNER), ENVELOPED))))))
    assert [listed.kind for listed in found.attachments] == ["encrypted", "signed"]


def test_signed_files_are_files() -> None:
    data = encode_cms(encode_element(4, b"<?xml version='1.0'?><invoice/>"))
    found = parse(make_mail(data).replace(b"smime.p7m", b"invoice.xml.p7m"))
    assert [(listed.filename, listed.kind) for listed in found.attachments] == [("invoice.xml.p7m", "signed")]
    assert found.warnings == ("no text, only attachments",)


def test_headerless_text_is_a_message_by_its_filename() -> None:
    data = encode_cms(encode_element(4, b"Just a line.\r\n"))
    assert parse(make_mail(data)).text == "Just a line."
    assert parse(make_mail(data).replace(b"smime.p7m", b"order.txt.p7m")).text == ""
    assert parse(make_mail(encode_cms(encode_element(4, b"\x89PNG\0")))).text == ""


def test_nested_signed_messages_are_limited() -> None:
    content = INNER
    for _ in range(MAX_CONTAINERS):
        content = make_mail(encode_cms(encode_element(4, content)))
    assert parse(content).text == "The contract is attached."
    found = parse(make_mail(encode_cms(encode_element(4, content))))
    assert found.text == ""
    assert "too many signed messages: some were not opened" in found.warnings


@given(st.integers(0, 250), st.binary(max_size=8), st.booleans())
def test_damaged_objects_are_files(at: int, damage: bytes, cut: bool) -> None:
    data = encode_streamed(INNER)
    damaged = data[:at] + damage + (b"" if cut else data[at + len(damage) :])
    assert classify_pkcs7(damaged) in ("signed", "encrypted", "other")
    inside = extract_signed(damaged, "a.p7m")
    assert inside is None or b"Content" in inside
    assert parse(make_mail(damaged)).attachments


def test_endless_nesting() -> None:
    for prefix in (b"\x30\x80", b"\x24\x80", b"\xa0\x80", encode_streamed(b"")[:20] + b"\x24\x80"):
        assert extract_signed(prefix + b"\x24\x80" * 100_000, "") is None
