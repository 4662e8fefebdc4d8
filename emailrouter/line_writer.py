"""Writes whole lines to a stream without waiting for its reader. `write` never raises.

A line is written to the kernel immediately, so `kill -9` loses only lines that the stream could not accept yet. While
the reader is slow, a bounded queue holds the lines in order. Lines that do not fit or cannot be written are dropped and
counted, and a later line reports their number.
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

# About 4,000 lines of 260 bytes.
BACKLOG_BYTES = 1024 * 1024
# Longest wait for a slow reader at the end of the process.
FLUSH_SECONDS = 2.0
# A pipe that poll(2) reports as writable accepts this many bytes without blocking.
_PIPE_BYTES = select.PIPE_BUF
# Maximum wait of the writer thread before it tries to write again.
_POLL_SECONDS = 1.0

Write = Callable[[bytes], int]


@dataclass(slots=True)
class _PendingLine:
    """The unwritten part of a line.

    `dropped` is the number of dropped lines that this line reports. An ordinary line reports none.
    """

    data: bytes
    dropped: int = 0
    is_started: bool = False


class LineWriter:
    """Writes lines to one stream. Thread-safe.

    `render_notice` renders the line that reports how many lines were dropped.
    """

    def __init__(self, stream: TextIO | None, render_notice: Callable[[int], str]) -> None:
        self._notice = render_notice
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self._descriptor = _descriptor(stream)
        self._write, self._owned = _open_writer(self._descriptor, stream)
        # Reentrant: a finalizer run by the garbage collector may log during a write.
        self._lock = threading.RLock()
        self._writing = False
        self._queue: deque[_PendingLine] = deque()
        self._queued_bytes = 0
        self._is_line_incomplete = False  # whether the last written line was dropped before its end
        self._unreported = 0
        self._thread: threading.Thread | None = None
        self.dropped = 0

    def write(self, line: str) -> None:
        try:
            data = self._encode(line)
            with self._lock:
                if self._queue and self._queued_bytes + len(data) > BACKLOG_BYTES:
                    self.drop()
                    return
                self._report_dropped()
                self._enqueue(_PendingLine(data))
                self._write_queue()
        except Exception:  # noqa: BLE001 - such as MemoryError: logging must not fail the caller
            self.drop()

    def drop(self) -> None:
        with self._lock:
            self.dropped += 1
            self._unreported += 1

    def flush(self) -> None:
        until = time.monotonic() + FLUSH_SECONDS
        while (left := until - time.monotonic()) > 0:
            with self._lock:
                self._write_queue()
                if not self._queue:
                    return
            self._wait_until_writable(left)

    def close(self) -> None:
        """Drops the queued and all later lines. The stream stays open."""
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
        """Writes as much as the stream accepts now. The lock must be held."""
        if self._writing:  # in a reentrant call: the outer call writes the new line
            return
        self._writing = True
        try:
            while self._queue:
                self._write_some(self._queue[0])
        except BlockingIOError:
            self._start_thread()
        except Exception:  # noqa: BLE001 - any error: the lines are dropped and counted
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
            with suppress(RuntimeError):  # the next line tries again to start the thread
                thread.start()
                self._thread = thread

    def _run_thread(self) -> None:
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
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        poll.poll(seconds * 1000)


def _descriptor(stream: TextIO | None) -> int:
    try:
        return -1 if stream is None else stream.fileno()
    except (AttributeError, OSError, ValueError):
        return -1


def _open_writer(descriptor: int, stream: TextIO | None) -> tuple[Write, socket.socket | int | None]:
    """Returns the write function of a stream, and the socket or descriptor opened for it, if any.

    The original descriptor stays in blocking mode, because every process with the same stream shares that mode.
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
    except OSError:  # such as the pipe of another user, or a missing /proc
        return partial(_write_polled, descriptor), None
    return partial(os.write, descriptor), None


def _write_text(stream: TextIO | None, data: bytes) -> int:
    if stream is None:
        raise ValueError("no stream")
    try:
        stream.write(data.decode(getattr(stream, "encoding", None) or "utf-8"))
        stream.flush()
    except BlockingIOError as error:  # a stream without a descriptor cannot be polled
        raise ValueError("the stream is not writable") from error
    return len(data)


def _write_polled(descriptor: int, data: bytes) -> int:
    """Writes through the shared blocking descriptor. Blocks only if another process fills the stream first."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    if not poll.poll(0):
        raise BlockingIOError
    return os.write(descriptor, data[:_PIPE_BYTES])
