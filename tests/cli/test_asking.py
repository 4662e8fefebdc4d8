"""Before something is destroyed a person at a terminal is asked, and can say no in every way a terminal has."""

import asyncio
import os
import pty
import signal
import sys
from collections.abc import Callable

import pytest

from tests.cli.office import Office
from tests.support.process import environment

Answer = Callable[[int, asyncio.subprocess.Process], object]


async def asked(office: Office, *args: str, answer: Answer) -> tuple[int, str]:
    """Runs a command at a terminal and answers its question; its exit code and all that it then said."""
    ours, theirs = pty.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "emailrouter",
            *args,
            stdin=theirs,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=office.folder,
            env=environment(office.env),
        )
        assert process.stderr is not None
        try:
            async with asyncio.timeout(60):
                question = (await process.stderr.readuntil(b"[y/N]: ")).decode()
                answer(ours, process)
                _, complaint = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    finally:
        os.close(ours)
        os.close(theirs)
    assert "Remove example.org?" in question
    return process.returncode or 0, complaint.decode().strip()


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (lambda terminal, _: os.write(terminal, b"n\n"), 1, "emailrouter: stopped"),
        (lambda terminal, _: os.write(terminal, b"\n"), 1, "emailrouter: stopped"),
        (lambda terminal, _: os.write(terminal, b"\x04"), 1, "emailrouter: stopped"),
        (lambda _, process: process.send_signal(signal.SIGINT), 1, "emailrouter: stopped"),
        (lambda terminal, _: os.write(terminal, b"y\n"), 0, ""),
    ],
    ids=["no", "nothing", "end of input", "interrupt", "yes"],
)
async def test_a_person_is_asked(office: Office, answer: Answer, code: int, said: str) -> None:
    (await office("domain", "add", "example.org")).ok()
    assert await asked(office, "domain", "remove", "example.org", answer=answer) == (code, said)
    left = (await office.json("domain", "list"))["domains"]
    assert bool(left) is (code != 0)
