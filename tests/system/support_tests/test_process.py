"""Child processes have the right settings, output and signals, and do not survive their test."""

import json
import signal
import sys
from pathlib import Path

import pytest

from tests.support.process import Program, environment, program_starter, run_cli
from tests.support.waiting import is_alive, process_state, wait_until
from tests.system.support_tests.killed_run import assert_program_ends_with_its_run

READY = """
import json, signal, sys
def say(**event): print(json.dumps(event), file=sys.stderr, flush=True)
def stop(*_):
    say(event="drained")
    sys.exit(3)
signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGHUP, lambda *_: say(event="reloaded"))
print("to stdout", flush=True)
print("not JSON", file=sys.stderr)
say(event="ready", smtp=["127.0.0.1:1"], api="127.0.0.1:2")
while True: signal.pause()
"""

PARENT = """
import subprocess, sys
child = subprocess.Popen(["sleep", "1000"])
print(child.pid, flush=True)
if sys.argv[1] == "stay": child.wait()
"""


def python(code: str) -> tuple[str, str]:
    return ("-c", code)


async def test_ready_drain_and_exit_code() -> None:
    async with Program(command=python(READY)) as program:
        assert await program.ready() == {"event": "ready", "smtp": ["127.0.0.1:1"], "api": "127.0.0.1:2"}
        program.send_sighup()
        await program.wait_event("reloaded")
        assert program.running()
        assert await program.terminate() == 3
        assert not program.running()
    assert program.stdout_text == "to stdout\n"
    assert "not JSON" in program.stderr_text
    assert [event["event"] for event in program.log_events()] == ["ready", "reloaded", "drained"]


async def test_paused_program_can_be_killed() -> None:
    async with Program(command=python(READY)) as program:
        await program.ready()
        program.pause()
        if sys.platform == "linux":
            await wait_until(lambda: process_state(program.pid) == "T", "stopped")
        program.resume()
        program.send_sighup()
        await program.wait_event("reloaded")
        program.pause()
    assert not is_alive(program.pid)


async def test_kill_includes_children() -> None:
    async with Program("stay", command=python(PARENT)) as program:
        await program.wait_until(lambda: bool(program.stdout), "child's number")
        child = int(program.stdout_text)
        assert await program.kill() == -signal.SIGKILL
    await wait_until(lambda: not is_alive(child), "end of the child")


async def test_children_of_an_ended_program_are_killed() -> None:
    async with Program("leave", command=python(PARENT)) as program:
        assert await program.wait() == 0
        child = int(program.stdout_text)
        await wait_until(lambda: not is_alive(child), "end of the child")


async def test_program_that_exits_before_it_is_ready() -> None:
    async with Program(command=python("import sys; sys.exit('no such key')")) as program:
        with pytest.raises(AssertionError, match=r"(?s)ended with 1 before .*no such key"):
            await program.ready()


async def test_program_that_is_never_ready() -> None:
    async with Program(command=python("import signal; signal.pause()")) as program:
        with pytest.raises(TimeoutError, match="no 1 x 'ready' within"):
            await program.ready(timeout=0.1)
        with pytest.raises(TimeoutError, match="has not ended"):
            await program.wait(timeout=0.05)


async def test_one_shot_commands(tmp_path: Path) -> None:
    code = "import json, os, sys; print(json.dumps([os.getcwd(), sys.stdin.read(), sys.argv[1:]]))"
    done = await run_cli("list", "--json", command=python(code), cwd=tmp_path, stdin=b"in")
    assert done.ok().json() == [str(tmp_path), "in", ["list", "--json"]]
    failed = await run_cli(command=python("import sys; print('why'); sys.exit(2)"))
    with pytest.raises(AssertionError, match=r"(?s)exit 2.*why"):
        failed.ok()


async def test_all_programs_are_stopped_at_the_end() -> None:
    async with program_starter() as start:
        programs = [await start(command=python(READY)) for _ in range(2)]
        for program in programs:
            await program.ready()
    assert not any(program.running() for program in programs)


def test_settings_become_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMAILROUTER_DATABASE__URL", "the developer's own")
    monkeypatch.setenv("NOTIFY_SOCKET", "the machine's")
    env = environment({"smtp.listen": ["127.0.0.1:0"], "smtp.max_recipients": 5, "dns.verification": "mx", "X": "y"})
    ours = {name: value for name, value in env.items() if name.startswith("EMAILROUTER_")}
    assert ours == {
        "EMAILROUTER_SERVER__LOG_FORMAT": "json",
        "EMAILROUTER_SMTP__LISTEN": json.dumps(["127.0.0.1:0"]),
        "EMAILROUTER_SMTP__MAX_RECIPIENTS": "5",
        "EMAILROUTER_DNS__VERIFICATION": "mx",
    }
    assert env["X"] == "y"
    assert "NOTIFY_SOCKET" not in env
    assert "PATH" not in environment({"PATH": None})


@pytest.mark.skipif(sys.platform != "linux", reason="uses PR_SET_PDEATHSIG of Linux")
async def test_a_killed_test_run_leaves_no_program_behind() -> None:
    command = ("-c", "import signal; print('up', flush=True); signal.pause()")
    await assert_program_ends_with_its_run(
        f"command={command!r}", 'await program.wait_until(lambda: bool(program.stdout), "start")'
    )
