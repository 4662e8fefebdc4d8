"""With unusable standard error, each message is answered 250 and each ticket is delivered once.

Commands with unusable streams exit without a traceback.
"""

import contextlib
import json
import os
import pty
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.processes import free_port
from tests.support import mails
from tests.support.installation import Installation, migrated_installation, split_address
from tests.support.process import environment
from tests.support.slack import SlackStandIn
from tests.support.smtp import send_mail
from tests.support.waiting import child_pids, poll_until, wait_until

PROGRAM = [sys.executable, "-m", "emailrouter"]


class Log:
    """Parses the log events on the standard error of the program."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._data = b""

    def events(self, name: str) -> list[dict[str, Any]]:
        with contextlib.suppress(BlockingIOError):
            while piece := os.read(self._descriptor, 1 << 20):
                self._data += piece
        lines = [json.loads(line) for line in self._data.splitlines() if line.endswith(b"}")]
        return [line for line in lines if line["event"] == name]


def start(command: list[str], settings: dict[str, object], folder: Path, **streams: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, env=environment(settings), cwd=folder, **streams)  # type: ignore[call-overload,no-any-return]


def run(
    command: list[str], installation: Installation, folder: Path, **streams: int
) -> subprocess.CompletedProcess[str]:
    env = {**environment(installation.settings), "PYTHONUNBUFFERED": ""}
    return subprocess.run(command, env=env, cwd=folder, check=False, text=True, **streams)  # type: ignore[call-overload,no-any-return]


def descriptor_target(pid: int | str, number: int) -> str:
    return str(Path(f"/proc/{pid}/fd/{number}").readlink())


@asynccontextmanager
async def run_serve(installation: Installation, folder: Path, stderr: int) -> AsyncIterator[subprocess.Popen[bytes]]:
    null = subprocess.DEVNULL
    process = start([*PROGRAM, "serve"], installation.settings, folder, stdin=null, stdout=null, stderr=stderr)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def send_mails(host: str, port: int, numbers: range) -> list[int]:
    sent = ("a@client.test", ["support@example.org"])
    return [(await send_mail(host, port, *sent, mails.plain(subject=f"Mail {n}"))).code for n in numbers]


async def assert_each_delivered_once(installation: Installation, slack: SlackStandIn, count: int) -> None:
    await slack.wait_for(count, accepted=True)

    async def are_recorded() -> bool:
        return await installation.count_rows("deliveries", "state = 'delivered'") == count

    await poll_until(are_recorded, "every outcome")
    assert len(slack.posts) == count
    assert await installation.count_rows("attempts") == count


def hang_up(reader: int, _: int) -> None:
    os.close(reader)


def fill_stream(_: int, writer: int) -> None:
    full = os.open(f"/proc/self/fd/{writer}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(full, b"\n" * 65536)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(full, b"\n")
    os.close(full)


@pytest.mark.parametrize(
    ("make", "disrupt"),
    [(os.pipe, hang_up), (pty.openpty, hang_up), (os.pipe, fill_stream), (pty.openpty, fill_stream)],
    ids=["a closed pipe", "a terminal that hung up", "a stopped reader", "a stopped terminal"],
)
async def test_unusable_standard_error(
    make: Callable[[], tuple[int, int]], disrupt: Callable[[int, int], None], tmp_path: Path, slack: SlackStandIn
) -> None:
    reader, writer = make()
    log = Log(reader)
    async with (
        migrated_installation(tmp_path, slack) as installation,
        run_serve(installation, tmp_path, writer) as process,
    ):
        await wait_until(lambda: len(log.events("ready")) == 1, "ready", timeout=20)
        host, port = split_address(log.events("ready")[0]["smtp"][0])
        assert await send_mails(host, port, range(1)) == [250]
        disrupt(reader, writer)
        assert await send_mails(host, port, range(1, 4)) == [250] * 3
        await assert_each_delivered_once(installation, slack, 4)
        if disrupt is fill_stream:  # the queued lines are read when the reader resumes
            await wait_until(lambda: len(log.events("smtp.accepted")) == 4, "the lines that waited")
            await wait_until(lambda: len(log.events("delivery.sent")) == 4, "the lines that waited")
        process.terminate()
        await wait_until(lambda: process.poll() is not None, "the exit")
        assert process.returncode == 0
    with contextlib.suppress(OSError):
        os.close(reader)
    os.close(writer)


async def test_shutdown_without_log_reader(tmp_path: Path, slack: SlackStandIn) -> None:
    reader, writer = os.pipe()
    log = Log(reader)
    async with (
        migrated_installation(tmp_path, slack) as installation,
        run_serve(installation, tmp_path, writer) as process,
    ):
        await wait_until(lambda: len(log.events("ready")) == 1, "ready", timeout=20)
        fill_stream(reader, writer)
        process.terminate()
        await wait_until(lambda: process.poll() is not None, "the exit", timeout=20)
        assert process.returncode == 0
    os.close(reader)
    os.close(writer)


async def test_standard_streams_closed_at_start(tmp_path: Path, slack: SlackStandIn) -> None:
    """The program opens /dev/null instead, so that the database file never gets descriptor 1 or 2."""
    port, api = free_port(), free_port()
    closed = ["sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', *PROGRAM]
    async with migrated_installation(tmp_path, slack) as installation:
        settings = {**installation.settings, "smtp.listen": [f"127.0.0.1:{port}"], "api.listen": f"127.0.0.1:{api}"}
        process = start([*closed, "serve"], settings, tmp_path)
        try:
            await wait_until(lambda: _listens(port), "its port", timeout=20)
            assert await send_mails("127.0.0.1", port, range(3)) == [250] * 3
            large = mails.plain(subject="Large", text="A line of a mail.\r\n" * 10_000)
            reply = await send_mail("127.0.0.1", port, "a@client.test", ["support@example.org"], large)
            assert reply.code == 250
            await assert_each_delivered_once(installation, slack, 4)
            (worker,) = child_pids(process.pid)
            assert [descriptor_target(process.pid, number) for number in range(3)] == [os.devnull] * 3
            assert descriptor_target(worker, 2) == os.devnull
        finally:
            process.terminate()
            process.wait()
        assert process.returncode == 0


def _listens(port: int) -> bool:
    return f"0100007F:{port:04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text()


async def test_commands_without_standard_error(tmp_path: Path, slack: SlackStandIn) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    async with migrated_installation(tmp_path, slack) as installation:
        without_stderr = ["sh", "-c", 'exec "$0" "$@" 2>&-', *PROGRAM]
        listed = run([*without_stderr, "--json", "workspace", "list"], installation, tmp_path, stdout=subprocess.PIPE)
        assert listed.returncode == 0
        assert json.loads(listed.stdout)
        wrong = run([*PROGRAM, "no-such-command"], installation, tmp_path, stderr=writer)
        assert wrong.returncode == 2, "the exit code for invalid usage, not for a traceback"
    os.close(writer)


@pytest.mark.parametrize("arguments", [("--help",), ("workspace", "list"), ("--json", "alias", "list")])
@pytest.mark.parametrize("full", [True, False], ids=["a full disk", "a closed pipe"])
async def test_commands_with_unread_output(
    arguments: tuple[str, ...], full: bool, tmp_path: Path, slack: SlackStandIn
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    stdout = os.open("/dev/full", os.O_WRONLY) if full else writer
    async with migrated_installation(tmp_path, slack) as installation:
        finished = run([*PROGRAM, *arguments], installation, tmp_path, stdout=stdout, stderr=subprocess.PIPE)
    assert finished.returncode == 1
    assert "Traceback" not in finished.stderr
    assert "Exception ignored" not in finished.stderr
    for descriptor in {stdout, writer}:
        os.close(descriptor)
