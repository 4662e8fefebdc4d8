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
_PIPE_BYTES = select.PIPE_BUF
# How often the thread checks that the stream it waits for still exists.
_POLL_SECONDS = 1.0

Write = Callable[[bytes], int]


@dataclass(slots=True)
class _PendingLine:
    """What is left of a line. dropped: how many lines it gives notice of; 0 for any other line."""

    data: bytes
    dropped: int = 0
    is_started: bool = False


class LineWriter:
    """Thread-safe. notice: renders the line that reports how many lines were dropped."""

    def __init__(self, stream: TextIO | None, render_notice: Callable[[int], str]) -> None:
        self._notice = render_notice
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self._descriptor = _descriptor(stream)
        self._write, self._owned = _open_writer(self._descriptor, stream)
        # Reentrant: an object that the garbage collector finalizes may log in the middle of a write.
        self._lock = threading.RLock()
        self._writing = False
        self._queue: deque[_PendingLine] = deque()
        self._queued_bytes = 0  # bytes in the queue
        self._is_line_incomplete = False  # a line was dropped after its first part was written
        self._unreported = 0
        self._thread: threading.Thread | None = None
        self.dropped = 0

    def write(self, line: str) -> None:
        """Writes the line and a line feed, keeps them for later, or drops and counts them."""
        try:
            data = self._encode(line)
            with self._lock:
                if self._queue and self._queued_bytes + len(data) > BACKLOG_BYTES:
                    self.drop()
                    return
                self._report_dropped()
                self._enqueue(_PendingLine(data))
                self._write_queue()
        except Exception:  # noqa: BLE001 - out of memory or of stack: the caller's work goes on
            self.drop()

    def drop(self) -> None:
        """Counts a line that cannot be written, or could not be made."""
        with self._lock:
            self.dropped += 1
            self._unreported += 1

    def flush(self) -> None:
        """Returns when nothing waits any more, or when the time is over."""
        until = time.monotonic() + FLUSH_SECONDS
        while (left := until - time.monotonic()) > 0:
            with self._lock:
                self._write_queue()
                if not self._queue:
                    return
            self._wait_until_writable(left)

    def close(self) -> None:
        """Gives up what waits and closes what was opened; the stream stays open. Later lines are dropped."""
        with self._lock:
            own, self._owned = self._owned, None
            self._write = partial(_write_text, None)
            self._drop_all()
        if isinstance(own, socket.socket):
            own.close()
        elif own is not None:
            os.close(own)

    def _encode(self, line: str) -> bytes:
        return f"{line}\n".encode(self._encoding, "backslashreplace")

    def _report_dropped(self) -> None:
        if self._unreported:
            self._enqueue(_PendingLine(self._encode(self._notice(self._unreported)), self._unreported))
            self._unreported = 0

    def _enqueue(self, item: _PendingLine) -> None:
        self._queue.append(item)
        self._queued_bytes += len(item.data)

    def _write_queue(self) -> None:
        """Writes what the stream takes now; the lock is held."""
        if self._writing:  # called from inside a write, which goes on with what was just put
            return
        self._writing = True
        try:
            while self._queue:
                self._write_some(self._queue[0])
        except BlockingIOError:
            self._start_thread()
        except Exception:  # noqa: BLE001 - of whatever kind, the lines are not written: they are counted
            self._drop_all()
        finally:
            self._writing = False

    def _write_some(self, item: _PendingLine) -> None:
        if self._is_line_incomplete:
            self._write(b"\n")
            self._is_line_incomplete = False
        written = self._write(item.data)
        item.data, item.is_started = item.data[written:], True
        self._queued_bytes -= written
        if not item.data:
            self._queue.popleft()

    def _drop_all(self) -> None:
        for item in self._queue:
            self._is_line_incomplete = self._is_line_incomplete or item.is_started
            if item.dropped:
                self._unreported += item.dropped
            else:
                self.drop()
        self._queue.clear()
        self._queued_bytes = 0

    def _start_thread(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._run_thread, name="log-writer", daemon=True)
            with suppress(RuntimeError):  # no more threads: the next line writes what waits
                thread.start()
                self._thread = thread

    def _run_thread(self) -> None:
        """The thread: until nothing waits any more."""
        waits = True
        while waits:
            self._wait_until_writable(_POLL_SECONDS)
            with self._lock:
                self._write_queue()
                if not self._queue:
                    self._report_dropped()
                    self._write_queue()
                waits = bool(self._queue)
                if not waits:
                    self._thread = None

    def _wait_until_writable(self, seconds: float) -> None:
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


def _open_writer(descriptor: int, stream: TextIO | None) -> tuple[Write, socket.socket | int | None]:
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
    return os.write(descriptor, data[:_PIPE_BYTES])
