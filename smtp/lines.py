"""Command lines out of octets that come in any pieces. Pure; `smtp.stream` feeds it.

Only CR LF ends a line (RFC 5321 section 2.3.8), and one line gets one answer: a line that is too long or contains a
bare LF is refused as a whole, up to its CR LF, so that no part of it is ever taken for a command. One that began as
BDAT ends the session: the octets it announced are no commands either. Memory is bounded: what cannot become a command
any more is thrown away as it comes.
"""

from __future__ import annotations

from smtp import replies
from smtp.commands import LINE_LIMIT, MAIL_LINE_LIMIT, CommandError, announces_octets
from smtp.replies import Reply

SKIP_LIMIT = 1048576  # octets of one endless line that are thrown away before the session is closed


class CommandLines:
    """The octets that came and are not answered. `octets` is theirs to read and empty who takes all of it."""

    __slots__ = ("_skipped", "_skipping", "octets")

    def __init__(self) -> None:
        self.octets = bytearray()
        self._skipping: Reply | None = None  # the line that is coming is refused for this reason
        self._skipped = 0

    @property
    def skipping(self) -> bool:
        """Whether what comes is part of a line that was refused, and thrown away up to its end."""
        return self._skipping is not None

    def take(self) -> bytes | None:
        """The next line without its CR LF; None when more must come. Raises `CommandError` once for each bad line."""
        octets = self.octets
        while (end := octets.find(b"\r\n")) >= 0:
            line = bytes(octets[:end])
            del octets[: end + 2]
            if self._skipping is None:
                return _checked(line)
            reply, self._skipping, self._skipped = self._skipping, None, 0
            if reply is not replies.BARE_LF:  # that was said when it was seen
                raise CommandError(reply)
        if octets:
            self._skip_what_cannot_be()
        return None

    def cut(self, most: int) -> bytes:
        """The octets that came, so many at most, which are no command lines."""
        if most >= len(self.octets):
            octets = bytes(self.octets)
            self.octets.clear()
        else:
            octets = bytes(self.octets[:most])
            del self.octets[:most]
        return octets

    def clear(self) -> None:
        """Forget all of it, as before a TLS handshake."""
        self.octets.clear()
        self._skipping = None
        self._skipped = 0

    def _skip_what_cannot_be(self) -> None:
        """Throw away the beginning of a line that cannot become a command, however it goes on."""
        octets = self.octets
        if self._skipping is None and b"\n" in octets:
            # Said at once: who types commands by hand would wait for ever. The LF ends no line all the same.
            self._skipping = replies.BARE_LF
            raise CommandError(replies.BARE_LF, fatal=announces_octets(octets))
        if self._skipping is None and len(octets) >= MAIL_LINE_LIMIT:
            self._skipping = replies.LINE_TOO_LONG
            if announces_octets(octets):
                raise CommandError(replies.LINE_TOO_LONG, fatal=True)
        if self._skipping is not None:
            keep = 1 if octets.endswith(b"\r") else 0
            self._skipped += len(octets) - keep
            del octets[: len(octets) - keep]
            if self._skipped > SKIP_LIMIT:
                raise CommandError(replies.TOO_MANY_ERRORS)


def _checked(line: bytes) -> bytes:
    if b"\n" in line:
        raise CommandError(replies.BARE_LF, fatal=announces_octets(line))
    if len(line) > LINE_LIMIT - 2 and (len(line) > MAIL_LINE_LIMIT - 2 or line[:5].upper() != b"MAIL "):
        raise CommandError(replies.LINE_TOO_LONG, fatal=announces_octets(line))
    return line
