"""The real program as a child process that tests signal and kill.

`Program` starts `python -m emailrouter ARGS`, where possible as a fork of a process that has imported the program.
The process ends with `async with`; on Linux it also ends with a killed test run.

Settings are dotted keys: `{"smtp.listen": ["127.0.0.1:0"]}` becomes `EMAILROUTER_SMTP__LISTEN` with a JSON value.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.support.forked import ForkedProcess, can_fork, fork
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
KEPT_LINES = 20_000  # maximum number of lines kept of each output stream
_LINE_LIMIT = 4 * 1024 * 1024  # maximum length of an output line, in bytes

# Prefixes of variables that a service manager or the user may have set, and that would influence a test.
_REMOVED_PREFIXES = ("EMAILROUTER_", "COLUMNS", "LISTEN_", "NOTIFY_", "STATE_DIRECTORY", "CREDENTIALS_DIRECTORY")

# Asks the kernel for SIGKILL when the test process dies, sets every signal to its default action, and executes the
# program with the same pid. A `preexec_fn` could do the same, but is unsafe with threads.
_LAUNCH = """
import ctypes, os, signal, sys
try:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
except (OSError, AttributeError):
    pass
if os.getppid() != int(sys.argv[1]):
    sys.exit("the test run has ended")
for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_DFL)
os.execv(sys.argv[2], sys.argv[2:])
"""


def environment(settings: Mapping[str, object] | None = None) -> dict[str, str]:
    """Returns this process's environment without the variables of `_REMOVED_PREFIXES`, plus `settings`.

    Keys with a dot are settings (`api.listen`); other keys are names of variables. None removes a variable. By default,
    logs are JSON.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith(_REMOVED_PREFIXES)}
    paths = [str(ROOT), env.get("PYTHONPATH", "")]  # imports the checkout under test, whatever the working directory is
    env["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    env["PYTHONUNBUFFERED"] = "1"
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # Otherwise no start would write the bytecode for the next ones.
    env["EMAILROUTER_SERVER__LOG_FORMAT"] = "json"
    for key, value in (settings or {}).items():
        name = "EMAILROUTER_" + key.upper().replace(".", "__") if "." in key else key
        if value is None:
            env.pop(name, None)
        else:
            env[name] = value if isinstance(value, str) else json.dumps(value)
    return env


class Program:
    """A running `emailrouter` process.

    Usage: `async with Program("serve", env={...}, cwd=tmp_path) as program: bound = await program.ready()`.
    """

    def __init__(
        self,
        *args: str,
        env: Mapping[str, object] | None = None,
        cwd: Path | None = None,
        command: tuple[str, ...] = ("-m", "emailrouter"),
        stdin: bytes | None = None,
        fresh: bool = False,
    ) -> None:
        """Prepares the process.

        Args:
            command: Python's arguments before `args`; by default they run `emailrouter`.
            fresh: Executes Python instead of forking.
        """
        self.stdout: deque[bytes] = deque(maxlen=KEPT_LINES)
        self.stderr: deque[bytes] = deque(maxlen=KEPT_LINES)
        self._argv = [sys.executable, "-I", "-S", "-c", _LAUNCH, str(os.getpid()), sys.executable]
        self._argv += [*command, *args]
        self._command_text = " ".join((*command, *args))
        self._env = environment(env)
        self._cwd = cwd
        self._stdin = stdin
        self._fork_args = None if fresh or not can_fork(command, self._env) else [*command[1:], *args]
        self._process: asyncio.subprocess.Process | ForkedProcess | None = None
        self._readers: list[asyncio.Task[None]] = []
        self._output_changed = asyncio.Condition()
        self._open_streams = 2  # output streams that are not read to the end yet
        self._events: deque[dict[str, Any]] = deque(maxlen=KEPT_LINES)

    # --- start and stop

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.running():
            self._signal_group(signal.SIGKILL)
        await self.wait()

    async def start(self) -> None:
        process: asyncio.subprocess.Process | ForkedProcess
        if self._fork_args is None:
            process = await self._execute()
        else:
            process = await fork(self._fork_args, self._env, self._cwd or Path.cwd(), self._stdin, _LINE_LIMIT)
        self._process = process
        assert process.stdout is not None
        assert process.stderr is not None
        self._readers = [
            asyncio.create_task(self._read(process.stdout, self.stdout)),
            asyncio.create_task(self._read(process.stderr, self.stderr)),
        ]

    async def _execute(self) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *self._argv,
            env=self._env,
            cwd=self._cwd,
            stdin=asyncio.subprocess.DEVNULL if self._stdin is None else pipe,
            stdout=pipe,
            stderr=pipe,
            start_new_session=True,
            limit=_LINE_LIMIT,
        )
        if process.stdin is not None:
            process.stdin.write(self._stdin or b"")
            process.stdin.close()
        return process

    async def terminate(self, timeout: float = 30) -> int:
        self._signal(signal.SIGTERM)
        return await self.wait(timeout)

    async def kill(self) -> int:
        if self.running():
            self._signal_group(signal.SIGKILL)
        return await self.wait()

    def pause(self) -> None:
        """Suspends the process group with SIGSTOP; its sockets stay open."""
        self._signal_group(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal_group(signal.SIGCONT)

    def send_sighup(self) -> None:
        self._signal(signal.SIGHUP)

    async def wait(self, timeout: float = 30) -> int:
        process = self._started_process()
        try:  # `process.wait()` also waits for the pipes, which children may keep open
            await wait_until(lambda: process.returncode is not None, "exit", timeout=timeout)
        except TimeoutError:
            raise TimeoutError(f"{self} has not ended within {timeout} s{self._output_tail()}") from None
        # A child may still have the pipes open. The process group then still exists, so its number is not reused.
        _, unfinished = await asyncio.wait(self._readers, timeout=1)
        if unfinished:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        await asyncio.gather(*self._readers)
        if isinstance(process, ForkedProcess):
            process.close()
        assert process.returncode is not None
        return process.returncode

    # --- output

    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        return self._started_process().pid

    @property
    def stdout_text(self) -> str:
        return b"".join(self.stdout).decode(errors="replace")

    @property
    def stderr_text(self) -> str:
        return b"".join(self.stderr).decode(errors="replace")

    def log_events(self, name: str | None = None) -> list[dict[str, Any]]:
        return [event for event in self._events if name is None or event.get("event") == name]

    async def ready(self, timeout: float = 20) -> dict[str, Any]:
        """Returns the `ready` event with the bound addresses. Fails at once if the program ends before that event."""
        return (await self.wait_event("ready", timeout=timeout))[0]

    async def wait_event(self, name: str, n: int = 1, *, timeout: float = 20) -> list[dict[str, Any]]:
        await self.wait_until(lambda: len(self.log_events(name)) >= n, f"{n} x {name!r}", timeout=timeout)
        return self.log_events(name)

    async def wait_until(self, condition: Callable[[], bool], description: str, *, timeout: float = 20) -> None:
        try:
            async with asyncio.timeout(timeout), self._output_changed:
                await self._output_changed.wait_for(lambda: condition() or not self._open_streams)
        except TimeoutError:
            raise TimeoutError(f"{self}: no {description} within {timeout} s{self._output_tail()}") from None
        if not condition():
            code = await self.wait()
            raise AssertionError(f"{self} ended with {code} before {description}{self._output_tail()}")

    def __str__(self) -> str:
        return f"`{self._command_text}`"

    # --- internals

    def _started_process(self) -> asyncio.subprocess.Process | ForkedProcess:
        assert self._process is not None, f"{self} was not started"
        return self._process

    def _signal(self, number: signal.Signals) -> None:
        if self.running():
            self._started_process().send_signal(number)

    def _signal_group(self, number: signal.Signals) -> None:
        """Signals the program's process group, whose number is the program's pid."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._started_process().pid, number)

    def _output_tail(self) -> str:
        out, err = (b"".join(list(lines)[-40:]).decode(errors="replace") for lines in (self.stdout, self.stderr))
        return f"\n--- stdout\n{out or '(nothing)'}\n--- stderr\n{err or '(nothing)'}"

    async def _read(self, stream: asyncio.StreamReader, lines: deque[bytes]) -> None:
        async for line in stream:
            lines.append(line)
            if lines is self.stderr and line.startswith(b"{"):
                with contextlib.suppress(ValueError):
                    self._events.append(json.loads(line))
            async with self._output_changed:
                self._output_changed.notify_all()
        self._open_streams -= 1
        async with self._output_changed:
            self._output_changed.notify_all()


@dataclass(frozen=True)
class CompletedCommand:
    """Exit code and output of a command."""

    code: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        return json.loads(self.stdout)

    def ok(self) -> Self:
        """Returns itself if the command succeeded; otherwise fails the test with the output."""
        assert self.code == 0, f"exit {self.code}\n--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"
        return self


async def run_cli(
    *args: str,
    env: Mapping[str, object] | None = None,
    cwd: Path | None = None,
    stdin: bytes | None = None,
    timeout: float = 60,
    command: tuple[str, ...] = ("-m", "emailrouter"),
    fresh: bool = False,
) -> CompletedCommand:
    async with Program(*args, env=env, cwd=cwd, stdin=stdin, command=command, fresh=fresh) as program:
        code = await program.wait(timeout)
    return CompletedCommand(code, program.stdout_text, program.stderr_text)


StartProgram = Callable[..., Awaitable[Program]]


@asynccontextmanager
async def program_starter() -> AsyncIterator[StartProgram]:
    async with contextlib.AsyncExitStack() as stack:

        async def start(*args: str, **options: Any) -> Program:
            return await stack.enter_async_context(Program(*args, **options))

        yield start
