"""MIME parts (RFC 2045, RFC 2046) and their encodings."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MAX_ENCODED_LINE_LENGTH = 76  # bytes without CRLF (RFC 2045 section 6.7)
_UNSAFE = re.compile(rb"[^\t -<>-~]|[\t ](?=\Z)")
_ENVELOPE_LINE = b"From "


@dataclass(frozen=True, slots=True)
class MimePart:
    """A part. `fields` are the fields of its header, each with CRLF at its end; `body` is encoded."""

    fields: str
    body: bytes

    def to_bytes(self) -> bytes:
        return b"\r\n".join((self.fields.encode("ascii"), self.body))


def build_text_part(content_type: str, text: str) -> MimePart:
    """Returns text, whose lines end with LF, in UTF-8 and quoted-printable.

    No server on its way has to encode it, which would invalidate a signature.
    """
    fields = f"Content-Type: {content_type}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n"
    return MimePart(fields, encode_quoted_printable(text.encode()))


def encode_quoted_printable(data: bytes) -> bytes:
    """Encodes text whose lines end with LF, as lines that end with CRLF (RFC 2045 section 6.7)."""
    lines = (_UNSAFE.sub(_escape, line) for line in data.split(b"\n"))
    return b"\r\n".join(piece for line in lines for piece in _wrap(line))


def _escape(match: re.Match[bytes]) -> bytes:
    return b"=%02X" % match[0][0]


def _wrap(line: bytes) -> Iterator[bytes]:
    """Yields the pieces of an encoded line. A piece that begins like the line between mails in a mailbox is encoded."""
    start = 0
    while True:
        escaped = line.startswith(_ENVELOPE_LINE, start)
        prefix, start = (b"=46", start + 1) if escaped else (b"", start)
        limit = start + MAX_ENCODED_LINE_LENGTH - len(prefix)
        if len(line) <= limit:
            yield prefix + line[start:]
            return
        end = limit - 1
        # A byte that is encoded as `=XX` must not be split.
        end -= next((back for back in (1, 2) if line[end - back : end - back + 1] == b"="), 0)
        yield prefix + line[start:end] + b"="
        start = end


class MultipartBuilder:
    """Joins parts of one message. The same message gives the same boundaries.

    `=_` in a boundary is never part of quoted-printable or Base64. Other parts are searched for the boundary.

    Args:
        seed: A text that no other message has, such as its Message-ID.
    """

    def __init__(self, seed: str) -> None:
        self._seed = hashlib.sha256(seed.encode()).hexdigest()[:24]
        self._count = 0

    def join(self, subtype: str, parts: Sequence[MimePart], parameters: str = "") -> MimePart:
        boundary = self._next_boundary()
        while any(boundary in part.body for part in parts):
            boundary = self._next_boundary()
        delimiter = b"--" + boundary
        body = b"".join(b"".join((delimiter, b"\r\n", part.to_bytes(), b"\r\n")) for part in parts)
        field = f'Content-Type: multipart/{subtype}{parameters};\r\n boundary="{boundary.decode("ascii")}"\r\n'
        return MimePart(field, body + delimiter + b"--\r\n")

    def _next_boundary(self) -> bytes:
        self._count += 1
        return f"=_{self._seed}_{self._count}".encode("ascii")
