"""Incremental parser of one HTTP/1.x response (RFC 9112) that never loses a status line to a flaw after it.

Pure. The status is known as soon as the final status line is complete. A flaw after it ends the parsing and makes
the connection unusable for a further request; it never raises. Cost is linear in the bytes fed, and no more than
`MAX_HEAD` bytes of lines and `excerpt_limit` bytes of body are kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable

MAX_HEAD = 65_536  # bytes of all lines: status, fields, chunk sizes, trailers; browsers allow 256 kB, servers send 1
_MAX_DIGITS = 15  # of Content-Length: a petabyte
# RFC 9112 4: the version is case-sensitive, the reason is optional, a recipient may split at any white space.
_STATUS = re.compile(rb"HTTP/[0-9]\.[0-9][ \t\x0b\x0c\r]+([0-9]{3})(?=[ \t\x0b\x0c\r\n])")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?")
_SWITCHING = 101
_WITHOUT_BODY = (204, 304)


class ResponseParser:
    """Fed with what a connection receives after one request.

    excerpt_limit: bytes of the body that are kept; a longer body is not read to its end.

    status: of the final response, None before its status line. headers: names in lower case, the first of each name.
    ended: nothing more is read. reused: to be set where the connection carried a response before; surplus bytes of
    that one are skipped up to the status line.
    """

    def __init__(self, excerpt_limit: int) -> None:
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.excerpt = bytearray()
        self.ended = False
        self.reused = False
        self._limit = excerpt_limit
        self._line = bytearray()
        self._head_left = MAX_HEAD
        self._flaw = False
        self._lengths: list[str] = []
        self._codings: list[str] = []
        self._body_left: int | None = None  # bytes of this body or chunk; None: until the connection closes
        self._in_body = False
        self._next: Callable[[bytes], None] = self._status_line

    @property
    def reusable(self) -> bool:
        """Whether the connection may carry another request: the response ended where its framing says."""
        return self.ended and not self._flaw

    @property
    def started(self) -> bool:
        """Whether anything came, of whatever form."""
        return self._head_left < MAX_HEAD

    def feed(self, data: bytes) -> None:
        """The next bytes received."""
        at = 0
        while at < len(data) and not self.ended:
            if self._in_body:
                left = len(data) - at if self._body_left is None else self._body_left
                piece = data[at : at + left]
                self._body(piece)
            else:
                end = data.find(b"\n", at)
                piece = data[at : end + 1] if end >= 0 else data[at:]
                self._line_piece(piece)
            at += len(piece)
        if at < len(data):  # surplus after the response
            self._flaw = True

    def feed_eof(self) -> None:
        """The connection is closed, or no more bytes are waited for. A complete code in a cut status line counts."""
        if self.ended:
            return
        if self._next == self._status_line and not self._in_body:
            self._take_status(bytes(self._line))
        self._end(flaw=True)

    def _end(self, *, flaw: bool = False) -> None:
        self.ended = True
        self._flaw |= flaw

    def _line_piece(self, piece: bytes) -> None:
        self._line += piece[: self._head_left]
        self._head_left -= len(piece)
        if self._head_left < 0:
            self.feed_eof()
        elif piece.endswith(b"\n"):
            line = bytes(self._line)
            self._line.clear()
            self._flaw |= not line.endswith(b"\r\n")
            self._next(line)

    def _take_status(self, line: bytes) -> bool:
        found = _STATUS.search(line) if self.reused else _STATUS.match(line)
        if found is None:
            return False
        status = int(found[1])
        self._next = self._field
        if not 100 <= status < 200 or status == _SWITCHING:
            self.status = status
            self._flaw |= found.start() > 0 or not line.startswith(b"HTTP/1.1 ")
        return True

    def _status_line(self, line: bytes) -> None:
        if self._take_status(line) or not line.strip():
            return
        self._flaw = True
        if not self.reused:
            self._end()

    def _field(self, line: bytes) -> None:
        text = line.rstrip(b"\r\n")
        if self.status is None:  # an interim response (RFC 9110 15.2): its fields say nothing about the final one
            if not text:
                self._next = self._status_line
            elif _STATUS.match(line):
                self._status_line(line)
            return
        if not text:
            self._begin_body()
            return
        name, colon, value = text.partition(b":")
        if not colon or not _TOKEN.fullmatch(name):  # also a folded line (RFC 9112 5.2)
            self._flaw = True
            return
        key, decoded = name.decode("ascii").lower(), value.strip(b" \t").decode("utf-8", "replace")
        self.headers.setdefault(key, decoded)
        if key == "content-length":
            self._lengths.append(decoded)
        elif key == "transfer-encoding":
            self._codings.append(decoded.lower())
        elif key == "connection" and "close" in decoded.lower():
            self._flaw = True

    def _begin_body(self) -> None:
        """RFC 9112 6.3. What is contradictory is read until the connection closes."""
        length = self._lengths[0] if self._lengths else ""
        if self._codings:
            self._flaw |= bool(self._lengths)
        elif length:
            self._flaw |= len(set(self._lengths)) > 1
        if self.status in _WITHOUT_BODY:
            self._end(flaw=bool(self._codings) or length not in ("", "0"))
        elif self.status == _SWITCHING:
            self._end(flaw=True)
        elif self._codings == ["chunked"]:
            self._next = self._chunk_size
        elif not self._codings and length.isascii() and length.isdigit() and len(length) <= _MAX_DIGITS:
            self._body_left = int(length)
            self._in_body = self._body_left > 0
            if not self._in_body:
                self._end()
        else:
            self._flaw = True
            self._body_left, self._in_body = None, True

    def _body(self, piece: bytes) -> None:
        space = self._limit - len(self.excerpt)
        self.excerpt += piece[:space]
        if len(piece) > space:
            self._end(flaw=True)
            return
        if self._body_left is None:
            return
        self._body_left -= len(piece)
        if not self._body_left:
            self._in_body = False
            if self._next != self._chunk_end:
                self._end()

    def _chunk_size(self, line: bytes) -> None:
        found = _CHUNK.fullmatch(line.rstrip(b"\r\n"))
        if found is None:
            self._end(flaw=True)
            return
        self._body_left = int(found[1], 16)
        self._in_body = self._body_left > 0
        self._next = self._chunk_end if self._in_body else self._trailer

    def _chunk_end(self, line: bytes) -> None:
        if line.rstrip(b"\r\n"):
            self._end(flaw=True)
        self._next = self._chunk_size

    def _trailer(self, line: bytes) -> None:
        if not line.rstrip(b"\r\n"):
            self._end()
