"""Splits arriving bytes into command lines, in bounded memory. Pure.

Only CR LF ends a line (RFC 5321 section 2.3.8). A rejected line is discarded up to its CR LF, so that no part of
it is parsed as a command. After a rejected BDAT line, the session ends, because content could follow.
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
    """Keeps arriving bytes in `buffer` until they are taken as command lines or as content.

    Args:
        skip_limit: Bytes of one rejected line after which the session is closed.
    """

    __slots__ = ("_skip_limit", "_skip_reply", "_skipped", "buffer")

    def __init__(self, skip_limit: int = Bounds.max_skipped_line_bytes) -> None:
        self.buffer = bytearray()
        self._skip_limit = skip_limit
        self._skip_reply: Reply | None = None  # the reply to the line that is being skipped, or None
        self._skipped = 0

    @property
    def is_skipping(self) -> bool:
        return self._skip_reply is not None

    def take_line(self) -> bytes | None:
        """Removes and returns the next line without CR LF, or returns None while it is incomplete.

        Raises:
            CommandError: The line is invalid, or more than `skip_limit` bytes of an invalid line arrived.
        """
        buffer = self.buffer
        while (end := buffer.find(b"\r\n")) >= 0:
            line = bytes(buffer[:end])
            del buffer[: end + 2]
            if self._skip_reply is None:
                return _validate(line)
            reply, self._skip_reply, self._skipped = self._skip_reply, None, 0
            if reply is not replies.BARE_LF:  # this reply was sent when the LF arrived
                raise CommandError(reply)
        if buffer:
            self._reject_invalid_start()
        return None

    def take_bytes(self, limit: int) -> bytes:
        if limit >= len(self.buffer):
            data = bytes(self.buffer)
            self.buffer.clear()
        else:
            data = bytes(self.buffer[:limit])
            del self.buffer[:limit]
        return data

    def clear(self) -> None:
        """Discards everything, as required before a TLS handshake."""
        self.buffer.clear()
        self._skip_reply = None
        self._skipped = 0

    def _reject_invalid_start(self) -> None:
        buffer = self.buffer
        if self._skip_reply is None and is_other_protocol(buffer):
            # A TLS handshake need not contain a line end, and the client waits for a reply to it.
            buffer.clear()
            raise CommandError(replies.NOT_SMTP)
        if self._skip_reply is None and b"\n" in buffer:
            # The reply is immediate, because an interactive client that sends only LF would wait for it forever.
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
                raise CommandError(replies.LINE_LIMIT_EXCEEDED)


def _validate(line: bytes) -> bytes:
    if b"\n" in line:
        raise line_error(line, replies.BARE_LF)
    if len(line) > LINE_LIMIT - 2 and (len(line) > MAIL_LINE_LIMIT - 2 or line[:5].upper() != b"MAIL "):
        raise line_error(line, replies.LINE_TOO_LONG)
    return line
