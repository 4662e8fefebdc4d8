"""A test run that is killed while a program runs."""

import os
import signal
import subprocess
import sys

from tests.support.process import ROOT
from tests.support.waiting import is_alive, wait_until


async def assert_program_ends_with_its_run(arguments: str, started: str) -> None:
    """Kills a test run and asserts that the program it started ends.

    Args:
        arguments: The arguments of `Program`, as source text.
        started: Source text that waits until `program` runs.
    """
    code = f"""
import asyncio, sys
sys.path.insert(0, {str(ROOT)!r})
from tests.support.process import Program
async def main():
    async with Program({arguments}) as program:
        {started}
        print(program.pid, flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as run:  # noqa: ASYNC220 - short
        assert run.stdout is not None
        pid = int(run.stdout.readline())
        assert is_alive(pid)
        os.kill(run.pid, signal.SIGKILL)
    await wait_until(lambda: not is_alive(pid), "end of the program")
