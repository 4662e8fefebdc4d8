"""Lines reach a stream in order, or are counted as dropped. A write does not wait for the reader and never raises."""

import errno
import io
import json
import os
import pty
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TextIO

import pytest

from emailrouter.line_writer import BACKLOG_BYTES, LineWriter
from tests.support.waiting import wait_until

LINE = "x" * 199
Open = Callable[[TextIO | None], LineWriter]


def render_notice(dropped: int) -> str:
    return f"dropped {dropped}"


@contextmanager
def open_stream(descriptor: int) -> Iterator[TextIO]:
    """Opens a text stream on a descriptor, and leaves the descriptor open at the end."""
    with open(descriptor, "w", encoding="utf-8", closefd=False) as stream:
        yield stream


@pytest.fixture
def open_writer() -> Iterator[Callable[[TextIO | None], LineWriter]]:
    with ExitStack() as stack:
        yield lambda stream: stack.enter_context(closing(LineWriter(stream, render_notice)))


@contextmanager
def open_pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    try:
        yield reader, writer
    finally:
        os.close(writer)
        if reader >= 0:
            os.close(reader)


class Reader:
    """Collects the lines from a pipe or socket, without blocking."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._data = b""

    def lines(self) -> list[str]:
        while True:
            try:
                piece = os.read(self._descriptor, 1 << 20)
            except BlockingIOError:
                break
            if not piece:
                break
            self._data += piece
        return self._data.decode().splitlines()


async def test_a_slow_reader_gets_every_line_in_order(open_writer: Open) -> None:
    """The lines would fill the pipe several times."""
    with open_pipe() as (reader, descriptor), open_stream(descriptor) as stream:
        writer = open_writer(stream)
        sent = [f"{n} {LINE}" for n in range(2000)]
        for line in sent:
            writer.write(line)
        received = Reader(reader)
        await wait_until(lambda: len(received.lines()) >= len(sent), "all lines")
        assert received.lines() == sent
        assert writer.dropped == 0


async def test_lines_beyond_the_backlog_are_counted_and_reported_in_place(open_writer: Open) -> None:
    count = 2 * BACKLOG_BYTES // len(LINE)
    with open_pipe() as (reader, descriptor), open_stream(descriptor) as stream:
        writer = open_writer(stream)
        for n in range(count):
            writer.write(f"{n} {LINE}")
        assert 0 < writer.dropped < count
        received = Reader(reader)
        kept = count - writer.dropped
        await wait_until(lambda: len(received.lines()) > kept, "the queued lines and the notice")
        writer.write("afterwards")
        await wait_until(lambda: received.lines()[-1] == "afterwards", "the next line")
        lines = received.lines()
        assert lines[:kept] == [f"{n} {LINE}" for n in range(kept)]
        assert lines[kept:] == [f"dropped {writer.dropped}", "afterwards"]


async def test_two_writers_of_a_full_pipe_do_not_block_or_change_its_mode(open_writer: Open) -> None:
    with open_pipe() as (reader, descriptor), open_stream(descriptor) as stream:
        writers = [open_writer(stream) for _ in range(2)]
        for n in range(1000):
            for number, writer in enumerate(writers):
                writer.write(f"{number} {n} {LINE}")
        assert os.get_blocking(descriptor), "other processes that share the pipe rely on it"
        received = Reader(reader)
        await wait_until(lambda: len(received.lines()) >= 2000, "all lines of both")
        assert [line.split()[1] for line in received.lines() if line.startswith("0 ")] == [str(n) for n in range(1000)]


async def test_pipe_that_cannot_be_reopened_is_polled(open_writer: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pipe of another user, as with `runuser`, cannot be reopened."""

    def refuse_open(*_: object) -> int:
        raise PermissionError(errno.EACCES, "another user")

    with open_pipe() as (reader, descriptor), open_stream(descriptor) as stream:
        with monkeypatch.context() as patched:
            patched.setattr(os, "open", refuse_open)
            writer = open_writer(stream)
        for n in range(1000):
            writer.write(f"{n} {LINE}")
        received = Reader(reader)
        await wait_until(lambda: len(received.lines()) >= 1000, "all lines")
        assert received.lines() == [f"{n} {LINE}" for n in range(1000)]


async def test_socket_of_the_journal(open_writer: Open) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, open_stream(theirs.fileno()) as stream:
        writer = open_writer(stream)
        sent = [f"{n} {LINE}" for n in range(4000)]
        for line in sent:
            writer.write(line)
        received = Reader(ours.fileno())
        await wait_until(lambda: len(received.lines()) >= len(sent), "all lines")
        assert received.lines() == sent


def test_pipe_without_reader(open_writer: Open) -> None:
    reader, descriptor = os.pipe()
    with open_stream(descriptor) as stream:
        writer = open_writer(stream)
        writer.write("read")
        os.close(reader)
        for _ in range(3):
            writer.write("not read")
        assert writer.dropped == 3
    os.close(descriptor)


def test_terminal_that_hung_up(open_writer: Open) -> None:
    master, slave = pty.openpty()
    with open_stream(slave) as stream:
        writer = open_writer(stream)
        writer.write("shown")
        assert os.read(master, 100) == b"shown\r\n"
        os.close(master)
        writer.write("not shown")
        assert writer.dropped == 1
    os.close(slave)


def test_full_disk_with_space_again_reports_dropped_lines(open_writer: Open, tmp_path: Path) -> None:
    target = tmp_path / "log"
    full = os.open("/dev/full", os.O_WRONLY)
    with target.open("wb") as file, open_stream(full) as stream:
        writer = open_writer(stream)
        for _ in range(3):
            writer.write("lost")
        os.dup2(file.fileno(), full)  # the same descriptor, on a disk with free space
        writer.write("first")
        writer.write("second")
    os.close(full)
    assert target.read_text().splitlines() == ["dropped 3", "first", "second"]


# The file may grow by a part of a line. Python ignores SIGXFSZ, so a write beyond the limit fails with EFBIG.
_PARTIAL_LINE = """
import resource, sys
from emailrouter.line_writer import LineWriter
writer = LineWriter(sys.stderr, lambda n: f"dropped {n}")
writer.write("whole")
resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
writer.write("half of this")
writer.write("none of this")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
writer.write("whole again")
"""


def test_partial_line_does_not_corrupt_the_next(tmp_path: Path) -> None:
    target = tmp_path / "log"
    with target.open("wb") as file:
        subprocess.run([sys.executable, "-c", _PARTIAL_LINE], stderr=file, check=True)
    assert target.read_text().splitlines() == ["whole", "half", "dropped 2", "whole again"]


@pytest.mark.parametrize(
    "error", [OSError(errno.EIO, "gone"), ValueError("closed"), BlockingIOError(errno.EAGAIN, "full"), RuntimeError()]
)
def test_stream_that_raises_any_exception(open_writer: Open, error: Exception) -> None:
    class Broken(io.StringIO):
        broken = True

        def write(self, text: str) -> int:
            if self.broken:
                raise error
            return super().write(text)

    stream = Broken()
    writer = open_writer(stream)
    writer.write("lost")
    stream.broken = False
    writer.write("kept")
    assert stream.getvalue() == "dropped 1\nkept\n"


def test_no_stream(open_writer: Open) -> None:
    writer = open_writer(None)
    writer.write("lost")
    writer.flush()
    assert writer.dropped == 1


def test_ascii_stream(open_writer: Open) -> None:
    data = io.BytesIO()
    stream = io.TextIOWrapper(data, encoding="ascii")
    open_writer(stream).write("Gr\u00f6\u00dfe \ud800")
    assert data.getvalue() == b"Gr\\xf6\\xdfe \\ud800\n"


# Logs more than fits in a pipe. With an argument, the program then crashes.
_EXIT = """
import sys
from emailrouter import log
import structlog
log.configure_logging("json", "info")
log.log_uncaught_exceptions()
for n in range(3000):
    structlog.get_logger().info("x", n=n, text="x" * 200)
if sys.argv[1:]:
    raise LookupError("an error")
"""


def test_crash_is_logged_without_waiting() -> None:
    with subprocess.Popen([sys.executable, "-c", _EXIT, "crash"], stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        crash = json.loads(process.stderr.read().splitlines()[-1])
        assert (crash["event"], crash["level"]) == ("process.crashed", "critical")
        assert "LookupError: an error" in crash["exception"]
        assert process.wait(timeout=30) == 1
    with subprocess.Popen([sys.executable, "-c", _EXIT, "crash"], stderr=subprocess.PIPE) as process:
        assert process.wait(timeout=30) == 1


@pytest.mark.parametrize("is_read", [True, False])
def test_exit_flushes_queue_with_time_limit(is_read: bool) -> None:
    with subprocess.Popen([sys.executable, "-c", _EXIT], stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        if not is_read:
            assert process.wait(timeout=30) == 0
            return
        lines = process.stderr.read().splitlines()
        assert [json.loads(line)["n"] for line in lines] == list(range(3000))
