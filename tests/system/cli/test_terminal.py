"""On a terminal, `domain remove` asks for confirmation. Commands also work with closed standard streams."""

import asyncio
import os
import pty
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.forked import ForkedProcess, fork
from tests.support.installation.command_line import CommandLine
from tests.support.process import environment
from tests.support.waiting import wait_until

Answer = Callable[[int, ForkedProcess], object]
_LINE_LIMIT = 65536


async def answer_prompt(cli: CommandLine, *args: str, answer: Answer) -> tuple[int, str]:
    """Runs a command, and calls `answer` at its prompt.

    Returns the exit code and the error output after the prompt.
    """
    ours, theirs = pty.openpty()
    try:
        process = await fork(("emailrouter", *args), environment(cli.env), cli.folder, theirs, _LINE_LIMIT)
        try:
            async with asyncio.timeout(60):
                question = (await process.stderr.readuntil(b"[y/N]: ")).decode()
                await wait_until(lambda: reads_answer(process.pid), "the command reads the answer")
                answer(ours, process)
                output = await process.stderr.read()
                await wait_until(lambda: process.returncode is not None, "the exit")
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)
            process.close()
    finally:
        os.close(ours)
        os.close(theirs)
    assert "Remove example.org?" in question
    return process.returncode or 0, output.decode().strip()


def reads_answer(pid: int) -> bool:
    """Whether a process is in a system call with the first argument 0, such as `read` of standard input.

    The tests answer a prompt only then, not between the prompt and `read`.
    """
    return Path(f"/proc/{pid}/syscall").read_text().split()[1:2] == ["0x0"]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
async def test_closed_standard_streams(cli: CommandLine, closed: str) -> None:
    """No file that the command opens may get the descriptor of a closed standard stream."""
    command = f'exec "$0" -m emailrouter domain add example.org --json {closed}'
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", command, sys.executable, cwd=cli.folder, env=environment(cli.env)
    )
    async with asyncio.timeout(60):
        assert await process.wait() == 0
    assert len((await cli.json("domain", "list"))["domains"]) == 1


@pytest.mark.parametrize(
    ("answer", "code", "message"),
    [
        (lambda terminal, _: os.write(terminal, b"n\n"), 1, "emailrouter: aborted"),
        (lambda terminal, _: os.write(terminal, b"\n"), 1, "emailrouter: aborted"),
        (lambda terminal, _: os.write(terminal, b"\x04"), 1, "emailrouter: aborted"),
        (lambda _, process: process.send_signal(signal.SIGINT), 1, "emailrouter: aborted"),
        (lambda terminal, _: os.write(terminal, b"y\n"), 0, ""),
    ],
    ids=["no", "nothing", "end of input", "interrupt", "yes"],
)
async def test_confirmation_prompt(cli: CommandLine, answer: Answer, code: int, message: str) -> None:
    (await cli("domain", "add", "example.org")).ok()
    assert await answer_prompt(cli, "domain", "remove", "example.org", answer=answer) == (code, message)
    left = (await cli.json("domain", "list"))["domains"]
    assert bool(left) is (code != 0)
