"""S/MIME parts of type application/pkcs7-mime (RFC 8551 section 3.2): classifies them, and extracts signed messages.

Signed-data is not encrypted: its content can be read without a key. The signature is never verified. BER is supported,
including indefinite length (X.690 section 8.1.3).
"""

from __future__ import annotations

from typing import Literal

from router.mail.headers import find_header_block, read_fields

Pkcs7 = Literal["signed", "encrypted", "other"]

# Encoded OIDs of content types (RFC 2315, RFC 5652, RFC 5083): 1.2.840.113549.1.7.x and 1.2.840.113549.1.9.16.1.23.
_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
_ENCRYPTED = frozenset(
    bytes.fromhex(oid)
    for oid in ("2a864886f70d010703", "2a864886f70d010704", "2a864886f70d010706", "2a864886f70d0109100117")
)
_OID, _STRING, _CONSTRUCTED_STRING, _SEQUENCE, _SET, _INTEGER, _EXPLICIT = 0x06, 0x04, 0x24, 0x30, 0x31, 0x02, 0xA0
# Nested pieces of a string, and nested indefinite lengths in a skipped element.
_MAX_DEPTH = 16
# A message of 50 MB, the default limit, has fewer elements if its string pieces have at least 300 bytes.
_MAX_ELEMENTS = 200_000
_MIME_FIELDS = frozenset({b"content-type", b"mime-version"})


class _MalformedError(ValueError):
    """The bytes are not the expected element, or a limit is exceeded."""


def classify_pkcs7(data: bytes) -> Pkcs7:
    try:
        content_type = _BerReader(data).content_type()
    except _MalformedError:
        return "other"
    return "signed" if content_type == _SIGNED_DATA else "encrypted" if content_type in _ENCRYPTED else "other"


def extract_signed(data: bytes, name: str) -> bytes | None:
    """Returns the MIME entity inside signed-data, None if there is none.

    Signed files (CAdES, `invoice.xml.p7m`) are signed-data too. Content without MIME fields counts as a MIME entity
    only if the part has no name or the usual name `smime.p7m`.
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
    """Reads consecutive BER elements. Methods raise `_MalformedError` for malformed data."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._elements = 0

    def content_type(self) -> bytes:
        """Reads the content type of a ContentInfo (RFC 5652 section 3)."""
        self.enter(_SEQUENCE)
        return self.read(_OID)

    def enter(self, tag: int) -> int | None:
        """Reads the header of an element; returns the end of its contents, None for indefinite length."""
        found, length = self._read_header()
        if found != tag:
            raise _MalformedError
        return None if length is None else self._at + length

    def read(self, tag: int) -> bytes:
        end = self.enter(tag)
        if end is None or end > len(self._data):
            raise _MalformedError
        start, self._at = self._at, end
        return self._data[start:end]

    def skip(self, tag: int) -> None:
        self._at = self.enter(tag) or self._find_end_of_contents()

    def read_string(self) -> bytes:
        """Reads a byte string, primitive or constructed from pieces (X.690 section 8.7)."""
        if self._data[self._at : self._at + 1] == bytes((_STRING,)):
            return self.read(_STRING)
        ends = [self.enter(_CONSTRUCTED_STRING)]
        pieces: list[bytes] = []
        while ends:
            if ends[-1] is not None and self._at >= ends[-1]:
                ends.pop()
                continue
            tag, length = self._read_header()
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

    def _find_end_of_contents(self) -> int:
        """Returns the end of the current element, which has indefinite length."""
        depth = 1
        while depth:
            tag, length = self._read_header()
            if length is None:
                depth += 1
                if depth > _MAX_DEPTH:
                    raise _MalformedError
            elif tag == 0 and length == 0:
                depth -= 1
            else:
                self._at += length
        return self._at

    def _read_header(self) -> tuple[int, int | None]:
        """Reads the tag and the length of the next element. The length is None if it is indefinite."""
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
