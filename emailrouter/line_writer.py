"""Writes whole lines to a stream, without ever raising and without ever waiting for its reader.

A line goes to the kernel at once, so `kill -9` loses none that the stream had room for. Lines that a slow reader has
not taken yet wait in memory, in order and bounded, and a thread writes them when there is room. Lines that do not fit,
and lines that cannot be written (a closed pipe, a terminal that hung up, a full disk), are dropped and counted; each
line tries again, and the first that can be written follows a notice of how many were dropped.
"""

from __future__ import annotations

import os
import select
import socket
import stat
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TextIO

# Bytes that wait for a slow reader: some 4,000 lines, a few seconds of a busy process.
BACKLOG_BYTES = 1024 * 1024
# A reader that has not taken the backlog by then does not keep the process from ending.
FLUSH_SECONDS = 2.0
# Where only poll(2) tells that there is room, it promises room for this much (POSIX.1-2017, PIPE_BUF).
_PIECE = select.PIPE_BUF
# How often the thread checks that the stream it waits for still exists.
_POLL_SECONDS = 1.0

Write = Callable[[bytes], int]


@dataclass(slots=True)
class _Item:
    """What is left of a line. dropped: how many lines it gives notice of; 0 for any other line."""

    data: bytes
    dropped: int = 0
    begun: bool = False


class LineWriter:
    """Thread-safe. notice: renders the line that reports how many lines were dropped."""

    def __init__(self, stream: TextIO | None, notice: Callable[[int], str]) -> None:
        self._notice = notice
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self._descriptor = _descriptor(stream)
        self._write, self._own = _opened(self._descriptor, stream)
        # Reentrant: an object that the garbage collector finalizes may log in the middle of a write.
        self._lock = threading.RLock()
        self._writing = False
        self._queue: deque[_Item] = deque()
        self._waiting = 0  # bytes in the queue
        self._torn = False  # a line was dropped after its first part was written
        self._unannounced = 0
        self._thread: threading.Thread | None = None
        self.dropped = 0

    def write(self, line: str) -> None:
        """Writes the line and a line feed, keeps them for later, or drops and counts them."""
        try:
            data = self._encoded(line)
            with self._lock:
                if self._queue and self._waiting + len(data) > BACKLOG_BYTES:
                    self.drop()
                    return
                self._announce()
                self._put(_Item(data))
                self._write_out()
        except Exception:  # noqa: BLE001 - out of memory or of stack: the caller's work goes on
            self.drop()

    def drop(self) -> None:
        """Counts a line that cannot be written, or could not be made."""
        with self._lock:
            self.dropped += 1
            self._unannounced += 1

    def flush(self) -> None:
        """Returns when nothing waits any more, or when the time is over."""
        until = time.monotonic() + FLUSH_SECONDS
        while (left := until - time.monotonic()) > 0:
            with self._lock:
                self._write_out()
                if not self._queue:
                    return
            self._wait(left)

    def close(self) -> None:
        """Gives up what waits and closes what was opened; the stream stays open. Later lines are dropped."""
        with self._lock:
            own, self._own = self._own, None
            self._write = partial(_write_text, None)
            self._drop_all()
        if isinstance(own, socket.socket):
            own.close()
        elif own is not None:
            os.close(own)

    def _encoded(self, line: str) -> bytes:
        return f"{line}\n".encode(self._encoding, "backslashreplace")

    def _announce(self) -> None:
        if self._unannounced:
            self._put(_Item(self._encoded(self._notice(self._unannounced)), self._unannounced))
            self._unannounced = 0

    def _put(self, item: _Item) -> None:
        self._queue.append(item)
        self._waiting += len(item.data)

    def _write_out(self) -> None:
        """Writes what the stream takes now; the lock is held."""
        if self._writing:  # called from inside a write, which goes on with what was just put
            return
        self._writing = True
        try:
            while self._queue:
                self._write_some(self._queue[0])
        except BlockingIOError:
            self._write_later()
        except Exception:  # noqa: BLE001 - of whatever kind, the lines are not written: they are counted
            self._drop_all()
        finally:
            self._writing = False

    def _write_some(self, item: _Item) -> None:
        if self._torn:
            self._write(b"\n")
            self._torn = False
        written = self._write(item.data)
        item.data, item.begun = item.data[written:], True
        self._waiting -= written
        if not item.data:
            self._queue.popleft()

    def _drop_all(self) -> None:
        for item in self._queue:
            self._torn = self._torn or item.begun
            if item.dropped:
                self._unannounced += item.dropped
            else:
                self.drop()
        self._queue.clear()
        self._waiting = 0

    def _write_later(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._write_waiting, name="log-writer", daemon=True)
            with suppress(RuntimeError):  # no more threads: the next line writes what waits
                thread.start()
                self._thread = thread

    def _write_waiting(self) -> None:
        """The thread: until nothing waits any more."""
        waits = True
        while waits:
            self._wait(_POLL_SECONDS)
            with self._lock:
                self._write_out()
                if not self._queue:
                    self._announce()
                    self._write_out()
                waits = bool(self._queue)
                if not waits:
                    self._thread = None

    def _wait(self, seconds: float) -> None:
        """Until the stream has room, at most so long."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        poll.poll(seconds * 1000)


def _descriptor(stream: TextIO | None) -> int:
    """The number of the stream's descriptor; -1 where it has none."""
    try:
        return -1 if stream is None else stream.fileno()
    except (AttributeError, OSError, ValueError):
        return -1


def _opened(descriptor: int, stream: TextIO | None) -> tuple[Write, socket.socket | int | None]:
    """What writes, and what it has opened for that.

    Writing takes what there is room for, returns its length, and raises BlockingIOError for no room. The descriptor
    itself stays in blocking mode: that mode is shared with every process that has the same stream.
    """
    if descriptor < 0:
        return partial(_write_text, stream), None
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISSOCK(mode):
            sock = socket.socket(fileno=os.dup(descriptor))
            return lambda data: sock.send(data, socket.MSG_DONTWAIT), sock
        if stat.S_ISFIFO(mode) or os.isatty(descriptor):
            path = f"/proc/self/fd/{descriptor}" if stat.S_ISFIFO(mode) else os.ttyname(descriptor)
            opened = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
            return partial(os.write, opened), opened
    except OSError:  # another user's pipe, or no /proc
        return partial(_write_polled, descriptor), None
    return partial(os.write, descriptor), None


def _write_text(stream: TextIO | None, data: bytes) -> int:
    if stream is None:
        raise ValueError("there is no stream")
    try:
        stream.write(data.decode(getattr(stream, "encoding", None) or "utf-8"))
        stream.flush()
    except BlockingIOError as error:  # nothing tells when an object has room again
        raise ValueError("the stream has no room") from error
    return len(data)


def _write_polled(descriptor: int, data: bytes) -> int:
    """Without a descriptor of its own in non-blocking mode; blocks only if another process takes the room first."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    if not poll.poll(0):
        raise BlockingIOError
    return os.write(descriptor, data[:_PIECE])
