"""Removes Authentication-Results fields that claim to be ours from a received message (RFC 8601 section 5). Pure.

All other bytes stay as they are. The message is passed in pieces, time is linear and memory is bounded.

Programs do not agree on what ends a line: CRLF alone, LF as well, or a bare CR as well. So a sender can hide a field
from one program and show it to another. A field is removed if any of them would see it. Each of them stops at the
first empty line, so the header ends in three steps, each of which leaves fewer line endings that can start a field.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from router.mail.authentication_results import FIELD_NAME, normalize_id, read_authserv_id

# In bytes. If the authserv-id does not end within these, the field is removed.
_MAX_ID_BYTES = 16 * 1024
# A message has about one field for each of its hops. All fields beyond these are removed.
_MAX_FIELDS = 500
# In bytes; the name of a field, with NUL characters in it, is at most as long.
_MAX_NAME_BYTES = 4096

_COLON = re.compile(rb"[\x00-\x09\x0b\x0c\x0e-\x20\x7f]*:")
_BLANK = re.compile(rb"[\x00-\x09\x0b\x0c\x0e-\x20\x7f]*")
_LINE_END = re.compile(rb"\r\n|\r|\n")
_EMPTY_LINE = re.compile(rb"\r?\n\r?\n")
# Some programs ignore NUL characters.
_NAME = rb"\x00*" + rb"\x00*".join(re.escape(FIELD_NAME[n : n + 1]) for n in range(len(FIELD_NAME)))


@dataclass(frozen=True, slots=True)
class _View:
    """What a program sees that ends lines in a certain manner.

    Attributes:
        event: The end of a line before an empty line, or before a field with the name (then the group is not None).
        field_end: The end of a line that no continuation follows.
    """

    event: re.Pattern[bytes]
    field_end: re.Pattern[bytes]


def _compile(line_end: bytes) -> _View:
    return _View(
        re.compile(rb"%s(?:(?=%s)|(%s))" % (line_end, line_end, _NAME), re.IGNORECASE),
        re.compile(rb"%s(?![ \t])" % line_end),
    )


_ANY, _LF, _CRLF = map(_compile, (rb"(?:\r\n|\r(?!\n)|\n)", rb"\r?\n", rb"\r\n"))


class ForgedResultsFilter:
    """Removes the forged fields of one message.

    Pass the message to `feed` in pieces, then call `close`. Each returns the bytes that follow.
    """

    def __init__(self, authserv_ids: Collection[str]) -> None:
        self._ids = frozenset(map(normalize_id, authserv_ids))
        self._data = b"\r\n"  # as if a line ended before the message; the first line end is not returned
        self._is_start = True
        self._view: _View | None = _ANY
        self._is_removing = False
        self._field_count = 0

    @property
    def is_finished(self) -> bool:
        """Whether the header is over, so that everything else is returned unchanged and at once."""
        return self._view is None

    def feed(self, data: bytes) -> bytes:
        if self.is_finished:
            return data
        self._data += data
        return self._filter(is_last=False)

    def close(self) -> bytes:
        return self._filter(is_last=True)

    def _filter(self, *, is_last: bool) -> bytes:
        """Returns the bytes that are decided, and keeps the others."""
        kept: list[bytes] = []
        start = position = 0  # of the bytes that are not in `kept`, and of those that were not searched
        while (view := self._view) is not None:
            if self._is_removing:
                end = self._search(view.field_end, position, is_last=is_last)
                if end is None:
                    start = len(self._data) if is_last else max(position, len(self._data) - 2)
                    break
                # The line end before the field was removed, and the one after it stays, so that bytes which did not
                # belong together never form a line end or an empty line.
                self._is_removing = False
                start = position = end.start()
            event = view.event.search(self._data, position)
            if event is None:
                start = self._keep(kept, start, len(self._data) if is_last else self._incomplete_line(start))
                break
            if event[1] is None:
                if not is_last and event.start() + 4 > len(self._data):
                    start = self._keep(kept, start, event.start())
                    break
                self._end_view(event.start())
                position = event.end()
                continue
            is_forged = self._is_forged(view, event.end(), is_last=is_last)
            if is_forged is None:
                start = self._keep(kept, start, event.start())
                break
            if is_forged:
                start = self._keep(kept, start, event.start())
                self._is_removing = True
            position = event.end()
        if self._view is None:
            start = self._keep(kept, start, len(self._data))
        self._data = self._data[start:]
        return b"".join(kept)

    def _search(self, pattern: re.Pattern[bytes], position: int, *, is_last: bool) -> re.Match[bytes] | None:
        """Returns a match, but not if the next byte could change it."""
        match = pattern.search(self._data, position)
        return match if match is not None and (is_last or match.end() < len(self._data)) else None

    def _keep(self, kept: list[bytes], start: int, end: int) -> int:
        """Adds bytes to `kept`, and returns where those begin that were not added."""
        if self._is_start and end > start and (line_end := _LINE_END.match(self._data, start)):
            if line_end.end() == len(self._data):
                return start  # a line feed may follow
            self._is_start = False
            start = line_end.end()
        kept.append(self._data[start:end])
        return max(start, end)

    def _incomplete_line(self, start: int) -> int:
        """Returns where the bytes begin that could be the start of an event together with later ones."""
        last = max(self._data.rfind(b"\r", start), self._data.rfind(b"\n", start))
        if last < 0 or len(self._data) - last > _MAX_NAME_BYTES:
            return len(self._data)
        first = last
        while first > max(start, last - 3) and self._data[first - 1] in b"\r\n":
            first -= 1
        return first

    def _end_view(self, position: int) -> None:
        """Continues after an empty line with the programs for which it is none."""
        if self._data.startswith(b"\r\n\r\n", position):
            self._view = None
        else:
            self._view = _CRLF if _EMPTY_LINE.match(self._data, position) else _LF

    def _is_forged(self, view: _View, position: int, *, is_last: bool) -> bool | None:
        """Returns whether a field is removed; None if more bytes are needed. Its name ends at the position."""
        end = self._search(view.field_end, position, is_last=is_last)
        value = self._data[position : min(end.start() if end else len(self._data), position + _MAX_ID_BYTES)]
        is_complete = (end is not None or is_last) and len(value) < _MAX_ID_BYTES
        if not is_complete and len(value) < _MAX_ID_BYTES:
            return None
        colon = _COLON.match(value)
        if colon is None:
            return not is_complete and _BLANK.fullmatch(value) is not None
        self._field_count += 1
        if self._field_count > _MAX_FIELDS:
            return True
        found = read_authserv_id(value[colon.end() :].replace(b"\x00", b""), is_complete=is_complete)
        return found is None or found[0] in self._ids
