"""Command lines from bytes that arrive in any pieces. Pure.

Only CR LF ends a line (RFC 5321 section 2.3.8), and one line gets one reply: a line that is too long
or contains a bare LF is refused as a whole, up to its CR LF, so that no part of it is ever taken for
a command. If it starts as BDAT, the refusal ends the session: the bytes that it announced are no
commands either. Memory is bounded: what cannot become a command is discarded as it arrives.
"""

from __future__ import annotations

from smtp import replies
from smtp.bounds import Bounds
from smtp.commands import (
    LINE_LIMIT,
    MAIL_LINE_LIMIT,
    CommandError,
    announces_content,
    is_other_protocol,
    line_error,
)
from smtp.replies import Reply


class CommandLines:
    """The bytes that arrived and are not answered yet, in `buffer`.

    Args:
        skip_limit: Bytes of one line that are discarded before the session is closed.
    """

    __slots__ = ("_skip_limit", "_skip_reply", "_skipped", "buffer")

    def __init__(self, skip_limit: int = Bounds.max_skipped_line_bytes) -> None:
        self.buffer = bytearray()
        self._skip_limit = skip_limit
        self._skip_reply: Reply | None = None  # why the current line is refused
        self._skipped = 0

    @property
    def is_skipping(self) -> bool:
        """Whether arriving bytes belong to a refused line and are discarded up to its end."""
        return self._skip_reply is not None

    def take_line(self) -> bytes | None:
        """The next line without CR LF; None if it is not complete.

        Raises:
            CommandError: The line is refused. Once for each such line.
        """
        buffer = self.buffer
        while (end := buffer.find(b"\r\n")) >= 0:
            line = bytes(buffer[:end])
            del buffer[: end + 2]
            if self._skip_reply is None:
                return _validate(line)
            reply, self._skip_reply, self._skipped = self._skip_reply, None, 0
            if reply is not replies.BARE_LF:  # which was sent when it was seen
                raise CommandError(reply)
        if buffer:
            self._reject_invalid_start()
        return None

    def take_bytes(self, limit: int) -> bytes:
        """Removes and returns at most `limit` bytes, which are no command lines."""
        if limit >= len(self.buffer):
            data = bytes(self.buffer)
            self.buffer.clear()
        else:
            data = bytes(self.buffer[:limit])
            del self.buffer[:limit]
        return data

    def clear(self) -> None:
        """Discards everything, as before a TLS handshake."""
        self.buffer.clear()
        self._skip_reply = None
        self._skipped = 0

    def _reject_invalid_start(self) -> None:
        """Discards the start of a line that cannot become a command, however it continues."""
        buffer = self.buffer
        if self._skip_reply is None and is_other_protocol(buffer):
            # Refused at once: the start of a TLS handshake has no line end, and its client waits.
            buffer.clear()
            raise CommandError(replies.NOT_SMTP)
        if self._skip_reply is None and b"\n" in buffer:
            # Refused at once: a person with a terminal would wait for ever. The LF ends no line.
            self._skip_reply = replies.BARE_LF
            raise line_error(buffer, replies.BARE_LF)
        if self._skip_reply is None and len(buffer) >= MAIL_LINE_LIMIT:
            self._skip_reply = replies.LINE_TOO_LONG
            if announces_content(buffer):
                raise CommandError(replies.LINE_TOO_LONG, fatal=True)
        if self._skip_reply is not None:
            keep = 1 if buffer.endswith(b"\r") else 0
            self._skipped += len(buffer) - keep
            del buffer[: len(buffer) - keep]
            if self._skipped > self._skip_limit:
                raise CommandError(replies.TOO_MANY_ERRORS)


def _validate(line: bytes) -> bytes:
    if b"\n" in line:
        raise line_error(line, replies.BARE_LF)
    if len(line) > LINE_LIMIT - 2 and (len(line) > MAIL_LINE_LIMIT - 2 or line[:5].upper() != b"MAIL "):
        raise line_error(line, replies.LINE_TOO_LONG)
    return line
