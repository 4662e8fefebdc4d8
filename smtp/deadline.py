"""The phases of a connection, and whether the peer exceeded the time limit of the current one.

Pure: the time is an argument, the result is a reply. Time in which the server does not read never
counts against a peer that is sending content. The limits of a mail hold for all of its commands and
all of its chunks together, so none of them can start a limit from the beginning.
"""

from __future__ import annotations

from enum import Enum, auto

from smtp import replies
from smtp.bounds import Bounds
from smtp.replies import Reply


class Phase(Enum):
    """What the connection waits for."""

    PROXY_HEADER = auto()  # the header that a proxy sends before the bytes of the client
    COMMAND = auto()  # the peer's next command line, or that it reads the replies
    CONTENT = auto()  # the content of a mail
    BUSY = auto()  # the server itself
    HANDSHAKE = auto()  # TLS; `Transport.start_tls` limits it
    CLOSING = auto()  # that the peer reads the last reply


# Module names: until Python 3.12 `Phase.BUSY` takes three times as long, several times a command.
PROXY_HEADER, COMMAND, CONTENT, BUSY, HANDSHAKE, CLOSING = Phase


class Deadline:
    """The time limit of one connection's current phase. All times are monotonic seconds.

    Attributes:
        command_time: Seconds that the peer took for commands since its last complete mail.
        phase: What the connection waits for.
        started: When the phase began; for a later chunk of a mail, earlier by the time of those before.
        last_byte: When the last content arrived.
    """

    __slots__ = ("_bounds", "_content_time", "_suspended_at", "command_time", "last_byte", "phase", "started")

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self.phase = Phase.BUSY
        self.started = 0.0
        self.last_byte = 0.0
        self.command_time = 0.0
        self._content_time = 0.0  # of the earlier chunks of the mail
        self._suspended_at: float | None = None

    def enter(self, phase: Phase, now: float) -> None:
        """Starts a phase. `CLOSING` is final: nothing follows it."""
        if self.phase is CLOSING:
            return
        self.phase = phase
        self.started = self.last_byte = now
        if phase is CONTENT:
            self.started -= self._content_time
        if self._suspended_at is not None:
            self._suspended_at = now

    def enter_busy(self) -> None:
        """Starts `BUSY`, which has no time limit."""
        if self.phase is CONTENT:
            self._content_time = self.last_byte - self.started
        if self.phase is not CLOSING:
            self.phase = BUSY

    def start_mail(self) -> None:
        """The content of another mail follows."""
        self._content_time = 0.0

    def suspend(self, now: float) -> None:
        """Stops the clock of `CONTENT`: the server pauses reading. Other phases ignore it."""
        if self._suspended_at is None:
            self._suspended_at = now

    def resume(self, now: float) -> None:
        """Starts the clock again where it stopped."""
        if self._suspended_at is None:
            return
        suspended = now - self._suspended_at
        self._suspended_at = None
        if self.phase is CONTENT:
            self.started += suspended
            self.last_byte += suspended

    def expiry_reply(self, now: float, command_timeout: float, received: int) -> Reply | None:
        """The reply for a peer that exceeded the limit of the phase, None while it did not.

        Args:
            now: The current time.
            command_timeout: Seconds for a command; shorter while connections are scarce.
            received: Bytes of content of the mail.
        """
        bounds, elapsed = self._bounds, now - self.started
        if self.phase is COMMAND:
            if elapsed >= command_timeout:
                return replies.TIMEOUT
            of_mail = command_timeout * bounds.command_timeouts_per_mail
            return replies.SESSION_TIMEOUT if self.command_time + elapsed >= of_mail else None
        if self.phase is PROXY_HEADER:
            return replies.TIMEOUT if elapsed >= bounds.proxy_header_timeout else None
        if self.phase is CLOSING:
            return replies.TIMEOUT if elapsed >= bounds.closing_timeout else None
        if self.phase is not CONTENT or self._suspended_at is not None:
            return None
        if now - self.last_byte >= bounds.data_timeout:
            return replies.TIMEOUT
        # Not earlier: a pause that data_timeout permits must not count against the average rate.
        if elapsed >= bounds.data_timeout and received < elapsed * bounds.min_data_rate:
            return replies.TOO_SLOW
        return None
