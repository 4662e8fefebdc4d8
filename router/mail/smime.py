"""Opaque S/MIME (RFC 8551 section 3.4): what a PKCS #7 part is, and the mail inside a signed one.

Signed-data is not encrypted: the mail inside can be read without any key. The signature is never checked. Only the
elements on the way to the content are read, in BER and DER, also of indefinite length (X.690 section 8.1.3), bounded in
depth and number.
"""

from __future__ import annotations

from typing import Literal

from router.mail.headers import find_header_block, read_fields

Pkcs7 = Literal["signed", "encrypted", "other"]

# Content types of RFC 5652 and RFC 5083, encoded: 1.2.840.113549.1.7.x and 1.2.840.113549.1.9.16.1.23.
_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
_ENCRYPTED = frozenset(
    bytes.fromhex(oid)
    for oid in ("2a864886f70d010703", "2a864886f70d010704", "2a864886f70d010706", "2a864886f70d0109100117")
)
_OID, _STRING, _CONSTRUCTED_STRING, _SEQUENCE, _SET, _INTEGER, _EXPLICIT = 0x06, 0x04, 0x24, 0x30, 0x31, 0x02, 0xA0
# Nested elements of indefinite length, or pieces of pieces; signed mail has two or three.
_MAX_DEPTH = 16
# Elements that are read; pieces have 1000 bytes and more, so this is enough for every mail that is accepted.
_MAX_ELEMENTS = 200_000
_MIME_FIELDS = frozenset({b"content-type", b"mime-version"})


class _MalformedError(ValueError):
    """The bytes are not the element that was expected."""


def classify_pkcs7(data: bytes) -> Pkcs7:
    """What a PKCS #7 object is. data: its first bytes are enough."""
    try:
        content_type = _BerReader(data).content_type()
    except _MalformedError:
        return "other"
    return "signed" if content_type == _SIGNED_DATA else "encrypted" if content_type in _ENCRYPTED else "other"


def extract_signed(data: bytes, name: str) -> bytes | None:
    """The MIME entity inside signed-data; None if there is none, or if the content is no MIME entity.

    Signed files (CAdES, `invoice.xml.p7m`) are signed-data too, and stay files. Text without a header is one only in an
    object with the name of a signed mail, or without a name.
    """
    reader = _BerReader(data)
    try:
        if reader.content_type() != _SIGNED_DATA:
            return None
        reader.enter(_EXPLICIT)
        reader.enter(_SEQUENCE)
        reader.skip(_INTEGER)
        reader.skip(_SET)
        reader.enter(_SEQUENCE)
        reader.read(_OID)
        reader.enter(_EXPLICIT)
        content = reader.read_string()
    except _MalformedError:
        return None
    if read_fields(find_header_block(content).data, _MIME_FIELDS):
        return content
    return content if name.lower() in ("", "smime.p7m") and b"\0" not in content else None


class _BerReader:
    """Reads elements one behind the other. Every method raises `_MalformedError` where the bytes are something else."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._elements = 0

    def content_type(self) -> bytes:
        """The type of a ContentInfo (RFC 5652 section 3)."""
        self.enter(_SEQUENCE)
        return self.read(_OID)

    def enter(self, tag: int) -> int | None:
        """Goes into an element; returns where it ends, None where its length is indefinite."""
        found, length = self._header()
        if found != tag:
            raise _MalformedError
        return None if length is None else self._at + length

    def read(self, tag: int) -> bytes:
        """The bytes of a primitive element."""
        end = self.enter(tag)
        if end is None or end > len(self._data):
            raise _MalformedError
        start, self._at = self._at, end
        return self._data[start:end]

    def skip(self, tag: int) -> None:
        """Passes over an element and all that it holds."""
        self._at = self.enter(tag) or self._end_of_contents()

    def read_string(self) -> bytes:
        """An OCTET STRING; one in pieces is joined (X.690 section 8.7)."""
        if self._data[self._at : self._at + 1] == bytes((_STRING,)):
            return self.read(_STRING)
        ends = [self.enter(_CONSTRUCTED_STRING)]
        pieces: list[bytes] = []
        while ends:
            if ends[-1] is not None and self._at >= ends[-1]:
                ends.pop()
                continue
            tag, length = self._header()
            if tag == 0 and length == 0 and ends[-1] is None:
                ends.pop()
            elif tag == _CONSTRUCTED_STRING and len(ends) < _MAX_DEPTH:
                ends.append(None if length is None else self._at + length)
            elif tag == _STRING and length is not None and self._at + length <= len(self._data):
                pieces.append(self._data[self._at : self._at + length])
                self._at += length
            else:
                raise _MalformedError
        return b"".join(pieces)

    def _end_of_contents(self) -> int:
        """Where the contents of an element of indefinite length end."""
        depth = 1
        while depth:
            tag, length = self._header()
            if length is None:
                depth += 1
                if depth > _MAX_DEPTH:
                    raise _MalformedError
            elif tag == 0 and length == 0:
                depth -= 1
            else:
                self._at += length
        return self._at

    def _header(self) -> tuple[int, int | None]:
        """The tag of the next element and the length of its contents, None for an indefinite one."""
        self._elements += 1
        head = self._data[self._at : self._at + 2]
        if len(head) < 2 or self._elements > _MAX_ELEMENTS or head[0] & 0x1F == 0x1F:
            raise _MalformedError
        self._at += 2
        tag, length = head
        if length < 0x80:
            return tag, length
        size = length & 0x7F
        if size == 0 and tag & 0x20:
            return tag, None
        if not 1 <= size <= 8 or self._at + size > len(self._data):
            raise _MalformedError
        self._at += size
        return tag, int.from_bytes(self._data[self._at - size : self._at], "big")
