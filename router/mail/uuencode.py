"""uuencode (POSIX.1, uuencode): as a transfer encoding, and as blocks that mail programs write into plain text.

A block counts only if every line of it is complete and it is ended: a line of prose that begins with "begin" never is
one, and a damaged block stays text. Total and linear.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

_BEGIN = re.compile(rb"(?:\A|(?<=\n))begin [0-7]{3,4} ([^\r\n]{1,255})\r?\n")
# At most 63 bytes, two more characters, and blanks: a longer line is not searched for its end.
_LINE = re.compile(rb"([ -`]{1,87})[ \t]{0,87}\r?\n")
# The line of no bytes, which some encoders leave out, and the "end" line.
_END = re.compile(rb"([ `][ \t]*\r?\n|\r?\n)?end[ \t]*(?:\r?\n|\Z)")
_FULL_LINE_LENGTH = 61  # characters of a line of 45 bytes, the most that encoders write
# Encoders may write a checksum behind a line.
_MAX_EXTRA_CHARACTERS = 2
# Full lines of the largest mail that is accepted by default (50 MB); a crafted mail has shorter ones.
_MAX_LINES = 1_000_000


@dataclass(frozen=True, slots=True)
class UuencodedBlock:
    """A file in a text: `data[start:end]` is the block, from its "begin" line to behind its "end" line."""

    start: int
    end: int
    name: bytes


def find_blocks(data: bytes) -> Iterator[UuencodedBlock]:
    """The complete blocks of a text, in their order. Each line is read once: a "begin" line ends a damaged block."""
    at = 0
    while (begin := _BEGIN.search(data, at)) is not None:
        at, lines = begin.end(), 0
        was_full = False
        while (line := _LINE.match(data, at)) is not None and _is_complete(line[1], was_full=was_full):
            was_full = was_full or len(line[1]) >= _FULL_LINE_LENGTH
            at, lines = line.end(), lines + 1
        end = _END.match(data, at)
        if end is not None and lines and (end[1] is not None or was_full):
            at = end.end()
            yield UuencodedBlock(begin.start(), at, begin[1].strip())


def _is_complete(line: bytes, *, was_full: bool) -> bool:
    """Whether a line has the characters that its first one announces.

    was_full: whether a full line came before. Blanks at the end of a line may be lost on the way, so lines behind a
    full one may be shorter.
    """
    size = (line[0] - 32) & 63
    needed = 1 + (size * 4 + 2) // 3  # some encoders do not fill up the last group
    return size > 0 and (needed <= len(line) or was_full) and len(line) <= _encoded_length(line) + _MAX_EXTRA_CHARACTERS


def _encoded_length(line: bytes) -> int:
    return 1 + (((line[0] - 32) & 63) + 2) // 3 * 4


def find_filename(data: bytes) -> bytes:
    """The file name of the first "begin" line, empty if there is none."""
    begin = _BEGIN.search(data)
    return begin[1].strip() if begin else b""


def decode(data: bytes) -> tuple[bytes, bool]:
    """The bytes of the first block, and whether it was whole and nothing else was there.

    Without a "begin" line the bytes are returned as they are.
    """
    begin = _BEGIN.search(data)
    if begin is None:
        return data, False
    pieces: list[bytes] = []
    whole = not data[: begin.start()].strip()
    at = begin.end()
    for _ in range(_MAX_LINES):
        if (end := _END.match(data, at)) is not None:
            return b"".join(pieces), whole and not data[end.end() :].strip()
        line_end = data.find(b"\n", at)
        line = data[at : line_end if line_end >= 0 else len(data)].rstrip(b" \t\r")
        if line:
            try:
                pieces.append(binascii.a2b_uu(line[: _encoded_length(line)]))
            except binascii.Error:
                whole = False
        if line_end < 0:
            break
        at = line_end + 1
    return b"".join(pieces), False
