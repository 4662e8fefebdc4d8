"""The content of a message as it arrives, by DATA or BDAT. Pure.

Only CR LF . CR LF ends DATA (RFC 5321 sections 2.3.8 and 4.1.1.4). Any other CR, LF or NUL is an ordinary
byte. Readers do not split the content into lines, so a piece of 256 KiB costs only a few searches.
"""

from __future__ import annotations

import sys
from io import BytesIO
from typing import Protocol

_END = b"\r\n.\r\n"
_STUFFED = b"\r\n."


class Content:
    """The content of a message so far. Content of more than `limit` bytes is discarded and only counted.

    Attributes:
        size: Bytes of content that arrived, including discarded ones.
        buffered_bytes: Bytes of content in memory.
    """

    __slots__ = ("_buffer", "_single", "buffered_bytes", "limit", "size")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self.buffered_bytes = 0
        # A message that arrives in one piece is kept without a copy.
        self._single: bytes | None = b""
        self._buffer: BytesIO | None = None

    @property
    def is_too_large(self) -> bool:
        return self.size > self.limit

    @property
    def is_discarded(self) -> bool:
        return self._single is None and self._buffer is None

    def append(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.is_discarded:
            return
        if self.size > self.limit:
            self.discard()
            return
        self.buffered_bytes += len(piece)
        if self._single == b"":
            self._single = piece
            return
        if self._buffer is None:
            self._buffer = BytesIO()
            self._buffer.write(self._single or b"")
            self._single = None
        self._buffer.write(piece)

    def discard(self) -> None:
        self._single = None
        self._buffer = None
        self.buffered_bytes = 0

    def getvalue(self) -> bytes:
        return self._buffer.getvalue() if self._buffer is not None else self._single or b""


class ContentReader(Protocol):
    """Finds the end of a message or chunk, and appends the bytes before it to `content`."""

    content: Content

    @property
    def max_feed_bytes(self) -> int: ...

    def feed(self, piece: bytes) -> bytes | None:
        """Consumes a piece. Returns None until the end of the content, then the bytes that follow the end."""
        ...


class DataReader:
    """Reads DATA up to CR LF . CR LF and removes dot-stuffing.

    The first CR LF of the end mark is part of the message. A dot at the start of the message is treated like a dot
    at the start of a line.
    """

    __slots__ = ("_at_start", "_pending", "content")
    max_feed_bytes = sys.maxsize  # the end is not known in advance

    def __init__(self, content: Content) -> None:
        self.content = content
        self._pending = b""
        self._at_start = True

    def feed(self, piece: bytes) -> bytes | None:
        block = self._pending + piece if self._pending else piece
        skip = 0  # leading bytes of the block that need no further processing
        if self._at_start and block.startswith(b"."):
            block = b"\r\n" + block
            skip = 2
        # Base64 contains no dots, and searching for one byte is much faster than for three.
        dot = block.find(b".")
        if dot >= 0:
            dot = block.find(_STUFFED, max(dot - 2, 0))
        end = block.find(_END, dot) if dot >= 0 else -1
        keep = end + 2 if end >= 0 else _find_partial_end(block)
        if keep > skip:
            kept = block[:keep]
            if dot not in (-1, end):
                kept = kept.replace(_STUFFED, b"\r\n")
            self.content.append(kept[skip:])
            self._at_start = False
            skip = keep
        if end >= 0:
            return block[end + len(_END) :]
        self._pending = block[skip:]
        return None


def _find_partial_end(block: bytes) -> int:
    """Returns the index of a partial end mark at the end of `block`, else the length of `block`."""
    for length in (4, 3, 2, 1):
        if block.endswith(_END[:length]):
            return len(block) - length
    return len(block)


class ChunkReader:
    """Reads a BDAT chunk of exactly `size` bytes (RFC 3030 section 2)."""

    __slots__ = ("content", "max_feed_bytes")

    def __init__(self, content: Content, size: int) -> None:
        self.content = content
        self.max_feed_bytes = size

    def feed(self, piece: bytes) -> bytes | None:
        if len(piece) < self.max_feed_bytes:
            self.max_feed_bytes -= len(piece)
            self.content.append(piece)
            return None
        size = self.max_feed_bytes
        self.max_feed_bytes = 0
        self.content.append(piece[:size])
        return piece[size:]
