"""A process that starts as PID 1 or as a subreaper runs the program in a child and reaps orphans itself."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.installation import migrated_installation
from tests.support.process import ROOT, Program, environment
from tests.support.slack import SlackStandIn
from tests.support.waiting import child_pids, is_alive, process_state, wait_until

_PR_SET_CHILD_SUBREAPER = 36
# The kernel re-parents orphaned descendants to a subreaper instead of PID 1. Setting the attribute needs no privilege,
# and exec preserves it. The script resets signals that the test run ignores (`nohup`, background jobs).
_SUBREAPER = f"""
import ctypes, os, signal, sys
for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
    signal.signal(number, signal.SIG_DFL)
ctypes.CDLL(None).prctl({_PR_SET_CHILD_SUBREAPER}, 1, 0, 0, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
# Prints the PID of a child and exits. The orphaned child runs until its standard input ends.
_ORPHAN = """
import os, sys
child = os.fork()
if child:
    print(child, flush=True)
    os._exit(0)
sys.stdin.read()
"""
_PROGRAM = """
import os, subprocess, sys
from emailrouter import process_start
process_start.prepare()
own = [subprocess.Popen([sys.executable, "-c", f"raise SystemExit({n})"]) for n in range(5)]
assert [child.wait() for child in own] == list(range(5)), "its own children are not reaped by others"
reader, writer = os.pipe()
subprocess.run([sys.executable, "-c", sys.argv[1]], stdin=reader, check=True)
os.close(reader)
print(os.getpid(), os.getppid(), flush=True)
sys.stdin.readline()
os.close(writer)
sys.stdin.readline()
sys.exit(7)
"""
_PRINT_SAME_PID = """
import os
before = os.getpid()
from emailrouter import process_start
process_start.prepare()
print(before == os.getpid())
"""
_NAMESPACE = """
import os, sys
os.execvp("unshare", ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, *sys.argv[1:]])
"""


def start(*arguments: str) -> subprocess.Popen[str]:
    """Starts Python as a subreaper."""
    return subprocess.Popen(
        [sys.executable, "-c", _SUBREAPER, *arguments],
        env=environment(),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def status(pid: int, key: str) -> list[str]:
    """Returns the values of the field `key` in /proc/PID/status (proc(5))."""
    return Path(f"/proc/{pid}/status").read_text().partition(f"{key}:")[2].partition("\n")[0].split()


def find_child(pid: int) -> int:
    (only,) = child_pids(pid)
    return only


async def test_orphans_are_reaped_and_exit_codes_are_kept() -> None:
    with start("-c", _PROGRAM, _ORPHAN) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        orphan = int(process.stdout.readline())
        program, reaper = map(int, process.stdout.readline().split())
        assert reaper == process.pid != program
        assert is_alive(orphan)
        assert status(orphan, "PPid") == [str(process.pid)]
        process.stdin.write("\n")
        process.stdin.flush()
        await wait_until(lambda: process_state(orphan) == "", "the orphan is reaped, not a zombie")
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.wait(timeout=20) == 7


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGKILL, -9), (signal.SIGUSR1, 138)]
)
async def test_signal_before_handlers_are_installed(number: signal.Signals, code: int) -> None:
    """If the program itself were PID 1, the kernel would ignore SIGTERM and other signals that have no handler."""
    source = (
        "from emailrouter import process_start; process_start.prepare(); "
        "import os, sys; print(os.getpid(), flush=True); sys.stdin.read()"
    )
    with start("-c", source) as process:
        assert process.stdout is not None
        program = int(process.stdout.readline())
        assert program != process.pid
        process.send_signal(number)
        assert process.wait(timeout=20) == code
        await wait_until(lambda: not is_alive(program), "the program ends with it")


async def test_program_shuts_down_gracefully(tmp_path: Path, slack: SlackStandIn) -> None:
    async with migrated_installation(tmp_path, slack) as installation:
        command = ("-c", _SUBREAPER, "-m", "emailrouter")
        async with Program("serve", env=installation.settings, cwd=tmp_path, command=command) as program:
            await program.ready()
            assert await program.terminate() == 0
        assert program.log_events("stopped")


def test_passed_sockets_and_the_watchdog_stay_addressed_to_the_program() -> None:
    source = (
        "import os; os.environ.update(LISTEN_PID=str(os.getpid()), WATCHDOG_PID='1234567'); "
        "from emailrouter import process_start; process_start.prepare(); "
        "print(os.environ['LISTEN_PID'] == str(os.getpid()), os.environ['WATCHDOG_PID'])"
    )
    with start("-c", source) as process:
        assert process.communicate(timeout=20)[0] == "True 1234567\n"


def test_no_fork_without_orphans() -> None:
    shown = subprocess.run(
        [sys.executable, "-c", _PRINT_SAME_PID], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert shown.stdout == "True\n"


def test_exit_codes_are_kept_when_sigchld_is_inherited_as_ignored() -> None:
    source = (
        "import signal, subprocess, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); "
        "from emailrouter import process_start; process_start.prepare(); "
        "sys.exit(subprocess.call([sys.executable, '-c', 'raise SystemExit(5)']))"
    )
    assert subprocess.run([sys.executable, "-c", source], cwd=ROOT, check=False).returncode == 5


def _can_unshare() -> bool:
    if shutil.which("unshare") is None or os.getuid() != 0:
        return False
    command = ["unshare", "--pid", "--fork", "--mount-proc", "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not _can_unshare(), reason="PID namespaces are not available")
async def test_as_pid_1(tmp_path: Path, slack: SlackStandIn) -> None:
    async with migrated_installation(tmp_path, slack) as installation:
        # unshare does not forward signals. The test signals the child of unshare, which is PID 1 in the namespace.
        command = ("-c", _NAMESPACE, "-m", "emailrouter")
        async with Program("serve", env=installation.settings, cwd=tmp_path, command=command) as program:
            await program.ready()
            first = find_child(program.pid)
            assert status(first, "NSpid")[-1] == "1"
            os.kill(first, signal.SIGTERM)
            assert await program.wait() == 0
        assert program.log_events("stopped")
