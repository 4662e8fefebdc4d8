"""The memory for messages that are being received: decides which messages may grow and which must wait.

Pure: the caller pauses and resumes the messages that `reserve` and `release` return.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from smtp.bounds import Bounds


class QuotaUser(Protocol):
    """A message that is being received, compared by identity."""

    @property
    def quota_key(self) -> str | None:
        """The IPv4 address or IPv6 /64 whose memory limit applies, or None without a limit by address.

        Never changes.
        """
        ...


_User = TypeVar("_User", bound=QuotaUser)


class MemoryQuota(Generic[_User]):
    """Bytes of messages in memory, in total and by address.

    Small messages never wait. When memory is used up, all large messages except the oldest wait. When an address has
    used up its fraction, all its large messages except their oldest wait. If all waited, each partly received, none
    would become complete.

    In both cases, even the oldest may wait if a complete message will soon release memory. The memory that the oldest
    may still need is set aside if possible. After the oldest, messages resume in the order in which they became large.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._max_mail_bytes = bounds.max_message_bytes
        # A message of the maximum size always fits.
        self._limit = max(bounds.max_memory_bytes, self._max_mail_bytes)
        self._address_limit = max(int(self._limit * bounds.memory_per_address), self._max_mail_bytes)
        self._small_mail_bytes = bounds.small_mail_bytes
        self._read_size = bounds.read_bytes
        self._reserved: dict[_User, int] = {}
        self._by_address: dict[str, int] = {}
        self._large: dict[_User, None] = {}  # incomplete messages, in the order in which they became large
        self._waiting: set[_User] = set()
        self._complete: set[_User] = set()  # large messages that will soon release their memory
        self.reserved_bytes = 0

    @property
    def available_bytes(self) -> int:
        """Bytes that large messages other than the oldest may still reserve; may be negative."""
        oldest = next(iter(self._large), None)
        if oldest is None:
            return self._limit - self.reserved_bytes
        may_need = min(self._max_mail_bytes - self._reserved[oldest], self._limit - self._max_mail_bytes)
        return self._limit - self.reserved_bytes - max(may_need, 0)

    @property
    def large_mails(self) -> int:
        return len(self._large)

    @property
    def waiting_mails(self) -> int:
        return len(self._waiting)

    @property
    def is_unused(self) -> bool:
        return not (
            self.reserved_bytes or self._reserved or self._by_address or self._large or self._waiting or self._complete
        )

    def reserve(self, mail: _User, nbytes: int) -> Sequence[_User]:
        """Raises the reservation of a message to `nbytes`. Never reduces it.

        Returns the messages that must start waiting.
        """
        added = nbytes - self._reserved.get(mail, 0)
        if added <= 0:
            return ()
        self._reserved[mail] = nbytes
        key = mail.quota_key
        self._count(key, added)
        if nbytes > self._small_mail_bytes:
            self._large[mail] = None
        full = self.available_bytes <= 0
        if not full and self._available_bytes_of_address(key) > 0:
            return ()
        exempt = self._find_oldest() if full else self._find_oldest_of_address(key)
        paused = [
            other
            for other in self._large
            if other not in self._waiting and other is not exempt and (full or other.quota_key == key)
        ]
        self._waiting.update(paused)
        return paused

    def mark_complete(self, mail: _User) -> None:
        """Records that a message is complete: it no longer waits, but its bytes stay reserved."""
        if mail in self._large:
            del self._large[mail]
            self._waiting.discard(mail)
            self._complete.add(mail)

    def release(self, mail: _User) -> Sequence[_User]:
        """Releases all bytes of a message. Returns the messages that must resume."""
        self._large.pop(mail, None)
        self._waiting.discard(mail)
        self._complete.discard(mail)
        key = mail.quota_key
        self._count(key, -self._reserved.pop(mail, 0))
        if not self._waiting:
            return ()
        resumed = self._find_resumable(key)
        self._waiting.difference_update(resumed)
        available = self.available_bytes
        granted: dict[str | None, int] = {}
        for other in self._large:
            if available <= 0:
                break
            if other not in self._waiting:
                continue
            other_key = other.quota_key
            already_granted = granted.get(other_key, 0)
            if already_granted < self._available_bytes_of_address(other_key) or other is self._find_oldest_of_address(
                other_key
            ):
                available -= self._read_size
                granted[other_key] = already_granted + self._read_size
                resumed.append(other)
        self._waiting.difference_update(resumed)
        return resumed

    def _find_resumable(self, key: str | None) -> list[_User]:
        oldest = (self._find_oldest(), self._find_oldest_of_address(key) if self.available_bytes > 0 else None)
        return [mail for mail in dict.fromkeys(oldest) if mail is not None and mail in self._waiting]

    def _find_oldest(self) -> _User | None:
        """Returns the oldest large message. None if there is none, or while it must wait for a complete message."""
        oldest = next(iter(self._large), None)
        if oldest is None or (self._complete and self.reserved_bytes >= self._limit):
            return None
        key = oldest.quota_key
        if key is not None and self._available_bytes_of_address(key) <= 0 and self._has_complete(key):
            return None
        return oldest

    def _find_oldest_of_address(self, key: str | None) -> _User | None:
        """Returns the oldest large message of an address.

        None if there is none, or while it must wait for a complete message.
        """
        if key is None or self._has_complete(key):
            return None
        return next((mail for mail in self._large if mail.quota_key == key), None)

    def _has_complete(self, key: str) -> bool:
        return any(mail.quota_key == key for mail in self._complete)

    def _available_bytes_of_address(self, key: str | None) -> int:
        return self.available_bytes if key is None else self._address_limit - self._by_address.get(key, 0)

    def _count(self, key: str | None, nbytes: int) -> None:
        self.reserved_bytes += nbytes
        if key is not None:
            counted = self._by_address.get(key, 0) + nbytes
            if counted:
                self._by_address[key] = counted
            else:
                self._by_address.pop(key, None)
