"""Decodes uuencode (POSIX.1) as a transfer encoding, and finds uuencoded blocks in plain text.

An incomplete block in plain text stays text. As a transfer encoding, damaged data is decoded as far as possible.
Decoding takes linear time for any data.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

_BEGIN = re.compile(rb"(?:\A|(?<=\n))begin [0-7]{3,4} ([^\r\n]{1,255})\r?\n")
# A line that encodes at most 63 bytes, with up to two extra characters and trailing spaces.
_LINE = re.compile(rb"([ -`]{1,87})[ \t]{0,87}\r?\n")
# The empty data line, which some encoders omit, and the "end" line.
_END = re.compile(rb"([ `][ \t]*\r?\n|\r?\n)?end[ \t]*(?:\r?\n|\Z)")
_FULL_LINE_LENGTH = 61  # characters of a line that encodes 45 bytes, the usual maximum
# Some encoders append a checksum to a line.
_MAX_EXTRA_CHARACTERS = 2
# A message of 50 MB, the default limit, has fewer full lines.
_MAX_LINES = 1_000_000


@dataclass(frozen=True, slots=True)
class UuencodedBlock:
    """A uuencoded file in plain text: `data[start:end]` includes the "begin" and "end" lines."""

    start: int
    end: int
    name: bytes


def find_blocks(data: bytes) -> Iterator[UuencodedBlock]:
    """Yields the complete blocks of a text."""
    position = 0
    while (begin := _BEGIN.search(data, position)) is not None:
        position, lines = begin.end(), 0
        was_full = False
        while (line := _LINE.match(data, position)) is not None and _is_complete(line[1], was_full=was_full):
            was_full = was_full or len(line[1]) >= _FULL_LINE_LENGTH
            position, lines = line.end(), lines + 1
        end = _END.match(data, position)
        if end is not None and lines and (end[1] is not None or was_full):
            position = end.end()
            yield UuencodedBlock(begin.start(), position, begin[1].strip())


def _is_complete(line: bytes, *, was_full: bool) -> bool:
    """Whether the length of a line fits the length that the line's first character declares.

    After a full line, shorter lines are accepted, because they may have lost trailing spaces in transit.
    """
    size = (line[0] - 32) & 63
    needed = 1 + (size * 4 + 2) // 3  # some encoders do not pad the last group
    return size > 0 and (needed <= len(line) or was_full) and len(line) <= _encoded_length(line) + _MAX_EXTRA_CHARACTERS


def _encoded_length(line: bytes) -> int:
    return 1 + (((line[0] - 32) & 63) + 2) // 3 * 4


def find_filename(data: bytes) -> bytes:
    begin = _BEGIN.search(data)
    return begin[1].strip() if begin else b""


def decode(data: bytes) -> tuple[bytes, bool]:
    """Decodes the first block; also returns whether the block is complete and the only content.

    Data without a "begin" line is returned unchanged.
    """
    begin = _BEGIN.search(data)
    if begin is None:
        return data, False
    pieces: list[bytes] = []
    whole = not data[: begin.start()].strip()
    position = begin.end()
    for _ in range(_MAX_LINES):
        if (end := _END.match(data, position)) is not None:
            return b"".join(pieces), whole and not data[end.end() :].strip()
        line_end = data.find(b"\n", position)
        line = data[position : line_end if line_end >= 0 else len(data)].rstrip(b" \t\r")
        if line:
            try:
                pieces.append(binascii.a2b_uu(line[: _encoded_length(line)]))
            except binascii.Error:
                whole = False
        if line_end < 0:
            break
        position = line_end + 1
    return b"".join(pieces), False
