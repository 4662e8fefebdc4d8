"""The octets of a mail as they come: `DataReader` for DATA, `ChunkReader` for BDAT, `Content` for what is kept.

Pure and incremental: fed with pieces cut anywhere, they say when the end has come and give back what follows it. No
lines are made: a piece of 256 KiB costs a few searches. Only CR LF . CR LF ends DATA (RFC 5321 sections 2.3.8 and
4.1.1.4); a CR, LF or NUL by itself is an octet like any other. Memory is bounded by the limit of `Content`, past which
octets are counted and thrown away. Who calls it: `smtp.stream`; who empties `Content`: `smtp.protocol`.
"""

from __future__ import annotations

import sys
from io import BytesIO
from typing import Protocol

_END = b"\r\n.\r\n"
_STUFFED = b"\r\n."


class Content:
    """A mail's octets so far, at most `limit` of them; what comes after that is only counted.

    size: octets of the mail, those thrown away too. held: octets in memory now.
    """

    __slots__ = ("_kept", "_only", "held", "limit", "size")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self.held = 0
        # A mail that comes in one piece, as most do, is never copied; a BytesIO gives its octets away without a copy.
        self._only: bytes | None = b""
        self._kept: BytesIO | None = None

    @property
    def over(self) -> bool:
        """Whether it was larger than the limit."""
        return self.size > self.limit

    @property
    def dropped(self) -> bool:
        """Whether its octets were thrown away, for its size or by `drop`."""
        return self._only is None and self._kept is None

    def append(self, piece: bytes) -> None:
        """Keep a piece, or count it where nothing is kept any more."""
        self.size += len(piece)
        if self.dropped:
            return
        if self.size > self.limit:
            self.drop()
            return
        self.held += len(piece)
        if self._only == b"":
            self._only = piece
            return
        if self._kept is None:
            self._kept = BytesIO()
            self._kept.write(self._only or b"")
            self._only = None
        self._kept.write(piece)

    def drop(self) -> None:
        """Throw away what is held and all that comes."""
        self._only = None
        self._kept = None
        self.held = 0

    def octets(self) -> bytes:
        """The whole mail. Only for a mail that was not dropped."""
        return self._kept.getvalue() if self._kept is not None else self._only or b""


class Reader(Protocol):
    """What `smtp.stream` feeds with octets until the end has come."""

    content: Content

    @property
    def most(self) -> int:
        """Octets that it can still take; what is given to it past them comes back."""
        ...

    def feed(self, piece: bytes) -> bytes | None:
        """None while the end has not come, then the octets that follow it (not part of the mail)."""
        ...


class DataReader:
    """DATA: up to CR LF . CR LF, which is not part of the mail but for its first CR LF; leading dots taken off.

    What could be the beginning of the end mark at the end of a piece (at most four octets) waits for the next one. The
    mail begins at the start of a line, as if a CR LF had gone before: that matters only where its first octet is a dot.
    """

    __slots__ = ("_fresh", "_waiting", "content")
    most = sys.maxsize  # nobody knows where its end is

    def __init__(self, content: Content) -> None:
        self.content = content
        self._waiting = b""
        self._fresh = True  # nothing of the mail has been kept

    def feed(self, piece: bytes) -> bytes | None:
        """See `Reader.feed`."""
        block = self._waiting + piece if self._waiting else piece
        skip = 0  # octets at the start of the block that are not part of the mail
        if self._fresh and block.startswith(b"."):
            block = b"\r\n" + block
            skip = 2
        # One octet is found seventy times as fast as three, and base64, which most large mails are, has no dot.
        dot = block.find(b".")
        if dot >= 0:
            dot = block.find(_STUFFED, max(dot - 2, 0))
        end = block.find(_END, dot) if dot >= 0 else -1
        keep = end + 2 if end >= 0 else _beginning_of_end(block)
        if keep > skip:
            kept = block[:keep]
            if dot not in (-1, end):
                kept = kept.replace(_STUFFED, b"\r\n")
            self.content.append(kept[skip:])
            self._fresh = False
            skip = keep
        if end >= 0:
            return block[end + len(_END) :]
        self._waiting = block[skip:]
        return None


def _beginning_of_end(block: bytes) -> int:
    """Where the longest beginning of CR LF . CR LF at the end of `block` starts; its length when there is none."""
    for length in (4, 3, 2, 1):
        if block.endswith(_END[:length]):
            return len(block) - length
    return len(block)


class ChunkReader:
    """BDAT: exactly `size` octets, whatever they are (RFC 3030 section 2)."""

    __slots__ = ("content", "most")

    def __init__(self, content: Content, size: int) -> None:
        self.content = content
        self.most = size

    def feed(self, piece: bytes) -> bytes | None:
        """See `Reader.feed`. A chunk of no octets ends with the first piece, also an empty one."""
        if len(piece) < self.most:
            self.most -= len(piece)
            self.content.append(piece)
            return None
        size = self.most
        self.most = 0
        self.content.append(piece[:size])
        return piece[size:]
