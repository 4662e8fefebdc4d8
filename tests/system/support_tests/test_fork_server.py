"""A forked program starts, prints, receives signals and exits like an executed one."""

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.forked import can_fork
from tests.support.process import ROOT, Program, environment, run_cli
from tests.support.waiting import wait_until
from tests.system.support_tests.killed_run import assert_program_ends_with_its_run

CHILD = ("-m", "tests.system.support_tests.child")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks are made on Linux only")


async def test_forked_program_starts_like_an_executed_one(tmp_path: Path) -> None:
    options = {"env": {"smtp.max_recipients": 5}, "cwd": tmp_path, "stdin": "gr\u00fcn".encode(), "command": CHILD}
    forked = await run_cli("a", "", "end", **options)  # type: ignore[arg-type]
    executed = await run_cli("a", "", "end", fresh=True, **options)  # type: ignore[arg-type]
    assert forked.code == executed.code == 3
    assert forked.json() == executed.json()
    assert forked.json()["argv"] == ["a", "", "end"]
    assert forked.json()["leads"]


@pytest.mark.parametrize("fresh", [False, True], ids=["forked", "executed"])
def test_ignored_signals_are_not_inherited(fresh: bool) -> None:
    """`nohup` and the background jobs of shell scripts start programs with ignored signals."""
    code = f"""
import asyncio, json, signal, sys
sys.path.insert(0, {str(ROOT)!r})
for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT, signal.SIGUSR1):
    signal.signal(number, signal.SIG_IGN)
from tests.support.process import run_cli
print(json.dumps(asyncio.run(run_cli("end", command={CHILD!r}, fresh={fresh})).json()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    child = json.loads(done.stdout)
    assert child["ignored"] == [signal.SIGPIPE, signal.SIGXFSZ]
    assert "default_int_handler" in child["interrupt"]


async def test_exception_is_reported_like_the_interpreter_does() -> None:
    failed = await run_cli("fail", command=CHILD)
    assert failed.code == 1
    assert failed.stderr.endswith("RuntimeError: a fault\n")


async def test_children_have_different_random_numbers() -> None:
    several = await asyncio.gather(*(run_cli("end", command=CHILD) for _ in range(4)))
    assert len({done.stderr for done in several}) == 4


async def test_exit_is_reported_and_pid_is_not_reused_before() -> None:
    async with Program("wait", command=CHILD) as program:
        await program.ready()
        assert program.running()
        assert await program.kill() == -signal.SIGKILL
    await wait_until(lambda: not Path(f"/proc/{program.pid}").exists(), "end of the zombie")


async def test_another_locale_requires_an_executed_program() -> None:
    env = environment({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})
    assert can_fork(CHILD, environment())
    assert not can_fork(CHILD, env)
    assert not can_fork(("-c", "pass"), environment())
    done = await run_cli("end", command=CHILD, env={"PYTHONIOENCODING": "latin-1"})
    assert done.json()["encodings"] == ["iso8859-1"] * 3


async def test_a_killed_test_run_leaves_no_forked_program_behind() -> None:
    await assert_program_ends_with_its_run(f'"wait", command={CHILD!r}', "await program.ready()")
