"""One message that is being received, by DATA or by one or more BDAT chunks.

A `Reception` owns the memory of the content and releases it exactly once. Reading stops while the message
must wait for memory.
"""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Self

from smtp.bounds import Bounds
from smtp.data import Content, ContentReader
from smtp.memory import MemoryQuota
from smtp.transport import PauseReason, Transport


class Reception:
    """The content of one message, and the memory that is reserved for it.

    Attributes:
        quota_key: See `smtp.memory.QuotaUser`.
        is_endless: Whether the connection must be closed, because the message far exceeds the size limit.
    """

    __slots__ = (
        "_bounds",
        "_quota",
        "_reader",
        "_released",
        "_transport",
        "_waiting_since",
        "content",
        "is_endless",
        "quota_key",
    )

    def __init__(
        self, quota: MemoryQuota[Reception], quota_key: str | None, transport: Transport, bounds: Bounds
    ) -> None:
        self.content = Content(bounds.max_message_bytes)
        self.quota_key = quota_key
        self.is_endless = False
        self._quota = quota
        self._transport = transport
        self._bounds = bounds
        self._reader: ContentReader
        self._waiting_since: float | None = None
        self._released = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    async def read(self, reader: ContentReader, *, last: bool) -> bool:
        """Receives content until the reader finds its end or `is_endless` is set.

        Returns False if the connection ends earlier.

        Args:
            last: Whether the message ends with this content, because it is complete or rejected.
        """
        self._reader = reader
        complete = await self._transport.receive(self)
        if last:
            self._quota.mark_complete(self)
            if self._waiting_since is not None:
                self.resume()
        return complete

    @property
    def received_bytes(self) -> int:
        return self.content.size

    def release(self) -> None:
        """Discards the content and resumes the messages that may now continue."""
        if self._released:
            return
        self._released = True
        self.content.discard()
        self.resume()
        # All messages resume even if one fails to resume: the quota no longer lists them as waiting.
        with ExitStack() as resuming:
            for mail in reversed(self._quota.release(self)):
                resuming.callback(mail.resume)

    # Waiting for memory.

    def pause(self) -> None:
        self._waiting_since = self._transport.now()
        self._transport.pause(PauseReason.MEMORY)

    def resume(self) -> None:
        if self._waiting_since is not None:
            self._waiting_since = None
            self._transport.resume(PauseReason.MEMORY)

    def check_memory_timeout(self, now: float) -> None:
        """Discards the content of a message that waited too long for memory.

        `Session.handle_DATA` later rejects the message.
        """
        if self._waiting_since is not None and now - self._waiting_since >= self._bounds.memory_timeout:
            self.release()

    # Methods of `smtp.transport.Sink`.

    @property
    def max_feed_bytes(self) -> int:
        return self._reader.max_feed_bytes

    @property
    def is_discarding(self) -> bool:
        return self.content.is_discarded

    def feed(self, data: bytes) -> bytes | None:
        following = self._reader.feed(data)
        content = self.content
        if content.is_discarded:
            self.release()
            if following is None and content.size > content.limit + self._bounds.max_discarded_bytes:
                self.is_endless = True
                return b""
        else:
            for mail in self._quota.reserve(self, content.buffered_bytes):
                mail.pause()
        return following
