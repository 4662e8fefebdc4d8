"""The phases of a connection and their time limits. Pure.

Time in which the server does not read never counts against a peer that is sending content. All commands of a
message together have a time limit, which no command restarts.
"""

from __future__ import annotations

from enum import Enum, auto

from smtp import replies
from smtp.bounds import Bounds
from smtp.replies import Reply


class Phase(Enum):
    """What the connection waits for."""

    PROXY_HEADER = auto()  # the header from a proxy
    COMMAND = auto()  # the next command line, or the peer to read the replies
    CONTENT = auto()
    BUSY = auto()  # the server's own work
    HANDSHAKE = auto()  # the TLS handshake, whose time `Transport.start_tls` limits
    CLOSING = auto()  # the peer to read the last replies


# Module-level names, because looking up `Phase.BUSY` takes longer, above all before Python 3.12.
PROXY_HEADER, COMMAND, CONTENT, BUSY, HANDSHAKE, CLOSING = Phase


class Deadline:
    """The time limit of a connection's current phase. Points in time are monotonic seconds.

    Attributes:
        command_time: Seconds of waiting for command lines since the last message, without lines that `CommandLines`
            rejected.
        started: When the last phase other than `BUSY` began. During `CONTENT`, it is moved back by the time of
            earlier chunks and forward by pauses.
        last_byte: When content last arrived, or when the phase began; moved forward by pauses.
    """

    __slots__ = ("_bounds", "_content_time", "_suspended_at", "command_time", "last_byte", "phase", "started")

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self.phase = Phase.BUSY
        self.started = 0.0
        self.last_byte = 0.0
        self.command_time = 0.0
        self._content_time = 0.0  # seconds that earlier chunks of the message took
        self._suspended_at: float | None = None

    def enter(self, phase: Phase, now: float) -> None:
        """Starts a phase. `CLOSING` is final."""
        if self.phase is CLOSING:
            return
        self.phase = phase
        self.started = self.last_byte = now
        if phase is CONTENT:
            self.started -= self._content_time
        if self._suspended_at is not None:
            self._suspended_at = now

    def enter_busy(self) -> None:
        if self.phase is CONTENT:
            self._content_time = self.last_byte - self.started
        if self.phase is not CLOSING:
            self.phase = BUSY

    def start_mail(self) -> None:
        self._content_time = 0.0

    def suspend(self, now: float) -> None:
        """Stops the time limits of `CONTENT` while the server pauses reading."""
        if self._suspended_at is None:
            self._suspended_at = now

    def resume(self, now: float) -> None:
        if self._suspended_at is None:
            return
        suspended = now - self._suspended_at
        self._suspended_at = None
        if self.phase is CONTENT:
            self.started += suspended
            self.last_byte += suspended

    def expiry_reply(self, now: float, command_timeout: float, received_bytes: int) -> Reply | None:
        """Returns the reply to a peer that exceeded a time limit of the current phase, else None."""
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
        # An earlier check of the rate would reject a pause that data_timeout permits.
        if elapsed >= bounds.data_timeout and received_bytes < elapsed * bounds.min_data_rate:
            return replies.TOO_SLOW
        return None
