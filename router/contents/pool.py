"""Parses mails where they cannot hold up the event loop: small ones without HTML in a thread, all others in a process.

HTML is never parsed in this process: the thread's parser stops at the first part that it would read as HTML
(`router.mail.contents.HtmlNotAllowed`), whatever the mail's bytes look like, and the mail goes to a worker.

Promises: `read` and `take_out` answer for any mail in bounded time. A mail that takes too long or kills its process is
`Unreadable`, with the reason; a process that was killed (SIGKILL) gets a successor, which tries once more. Never says
`Unreadable` of a mail for what is the machine's fault: that is `Unavailable`. Processes are started when first needed,
`WORKERS` at most, by a fresh interpreter and not by a fork of this one; they end with `close`, and by themselves when
this process is killed. What they do: `router.contents.worker`.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from router.contents.worker import ANSWER, ATTACHMENT, PARSE, QUESTION, READY
from router.errors import Unavailable
from router.mail import parse
from router.mail.contents import Attachment, AttachmentData, Contents, HtmlNotAllowed
from router.search import terms

# Larger ones cost more than the 20 ms that a thread may take from the event loop beside it (by the interpreter's lock).
SMALL_OCTETS = 64 * 1024
# So do small ones of little but parts: they go where large ones do.
MANY_BOUNDARIES = 500
THREADS = 2
WORKERS = 2
# Of the wall clock, for when the worker's own bound on CPU time does not come to pass because it does not run: it was
# stopped, or the machine is overloaded. Half the time that a deliverer holds a webhook by default.
PATIENCE = 30.0
START_PATIENCE = 20.0
_PIECE = 256 * 1024

# Isolated (-I): neither the environment nor the working folder decides what it imports. The path is this program's own.
_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from router.contents.worker import main; main()"
WORKER = (sys.executable, "-I", "-c", _PROGRAM, str(Path(__file__).parents[2]))

log = structlog.get_logger()


class Unreadable(Exception):  # noqa: N818 - said of a mail, not of a fault
    """No parser of this version gets through this mail; the text says why, in words for people."""


class _Killed(Exception):  # noqa: N818 - said of a worker
    """The worker was ended by SIGKILL in the middle of its answer: by the kernel or an operator."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of a mail. words: what its text is found by (`router.search.terms.of_mail`)."""

    contents: Contents
    words: list[str]


async def _nothing() -> None:
    """For a caller that keeps no record of attempts."""


class Parser:
    """One for each process. worker: the command line to start; patience: seconds of the wall clock for one mail."""

    def __init__(self, worker: Sequence[str] = WORKER, *, patience: float = PATIENCE) -> None:
        self._command = tuple(worker)
        self._patience = patience
        self._idle: list[_Worker] = []
        self._threads = asyncio.Semaphore(THREADS)
        self._workers = asyncio.Semaphore(WORKERS)
        self._closed = False

    async def read(self, content: bytes, begin: Callable[[], Awaitable[None]] = _nothing) -> Reading:
        """What people read of a mail. Raises `Unreadable`, `Unavailable`.

        begin: awaited once before a worker gets the mail, when its turn has come; what it raises ends the reading.
        """
        if is_small(content):
            with suppress(HtmlNotAllowed):
                async with self._threads:
                    return await asyncio.to_thread(_read_here, content)
        head, words = await self._ask(PARSE, 0, content, begin)
        return Reading(Contents.from_json(head), words.decode().split("\n") if words else [])

    async def take_out(self, content: bytes, n: int) -> AttachmentData | None:
        """The attachment with this number, None when there is none. Raises `Unreadable`, `Unavailable`."""
        if is_small(content):
            with suppress(HtmlNotAllowed):
                async with self._threads:
                    return await asyncio.to_thread(parse.extract_attachment, content, n, html=False)
        if not 0 < n < 1 << 32:
            return None
        head, data = await self._ask(ATTACHMENT, n, content)
        found = json.loads(head)
        return None if found is None else AttachmentData(Attachment(**found), data)

    async def close(self) -> None:
        """Ends the workers. What is being parsed is still answered, and its worker ends then."""
        self._closed = True
        idle, self._idle = self._idle, []
        for worker in idle:
            await worker.end()

    async def _ask(
        self, what: bytes, n: int, content: bytes, begin: Callable[[], Awaitable[None]] = _nothing
    ) -> tuple[str, bytes]:
        async with self._workers:
            await begin()
            for last in (False, True):
                worker = await self._free_worker()
                done = False
                try:
                    async with asyncio.timeout(self._patience):
                        answer = await worker.ask(what, n, content)
                    done = True
                    return answer
                except TimeoutError:
                    raise Unreadable("parsing timed out") from None
                except _Killed:
                    log.warning("parsing.worker_killed", size=len(content), retry=not last)
                    if last:
                        raise Unreadable("the parser process crashed") from None
                finally:
                    if done and not self._closed:
                        self._idle.append(worker)
                    elif done:
                        await worker.end()
                    else:
                        await worker.kill()
            raise AssertionError("the second attempt returns or raises")

    async def _free_worker(self) -> _Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                return worker
            await worker.kill()
        return await _Worker.start(self._command)


class _Worker:
    """One process, which answers one question at a time."""

    def __init__(self, process: Process) -> None:
        if process.stdin is None or process.stdout is None:
            raise ValueError("a worker needs pipes for standard input and output")
        self._process = process
        self._questions = process.stdin
        self._answers = process.stdout

    @staticmethod
    async def start(command: Sequence[str]) -> _Worker:
        """A worker that is ready. Raises `Unavailable`: that it does not start is no mail's fault."""
        try:
            # It reads what strangers wrote: none of this process's secrets are in its environment.
            process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, env={})
        except OSError as error:
            raise Unavailable(f"cannot start a parser process: {error}") from error
        worker = _Worker(process)
        ready = b""
        try:
            async with asyncio.timeout(START_PATIENCE):
                ready = await worker._answers.read(len(READY))
        except TimeoutError:
            pass
        finally:
            if ready != READY:
                await worker.kill()
        if ready != READY:
            raise Unavailable("the parser process did not start")
        log.debug("parsing.worker_started", pid=process.pid)
        return worker

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    async def ask(self, what: bytes, n: int, content: bytes) -> tuple[str, bytes]:
        """Raises `_Killed` when the worker was killed, `Unreadable` when it ended for any other reason."""
        questions, answers = self._questions, self._answers
        try:
            questions.write(QUESTION.pack(what, n, len(content)))
            view = memoryview(content)
            for start in range(0, len(content), _PIECE):
                questions.write(view[start : start + _PIECE])
                await questions.drain()
            await questions.drain()
            head, data = ANSWER.unpack(await answers.readexactly(ANSWER.size))
            return (await answers.readexactly(head)).decode(), await answers.readexactly(data)
        except (asyncio.IncompleteReadError, ConnectionError):
            code = await self._process.wait()
            if code == -signal.SIGPROF:
                raise Unreadable("parsing timed out") from None
            if code == -signal.SIGKILL:
                raise _Killed from None
            log.warning("parsing.worker_crashed", size=len(content), exit_code=code)
            raise Unreadable("the parser process crashed") from None

    async def end(self) -> None:
        """Its input ends, and so does it."""
        self._questions.close()
        try:
            async with asyncio.timeout(START_PATIENCE):
                await self._process.wait()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        await asyncio.shield(self._process.wait())
        self._questions.close()


def is_small(content: bytes) -> bool:
    """Whether a mail without HTML is parsed faster than it is handed to another process."""
    return len(content) <= SMALL_OCTETS and content.count(b"\n--") <= MANY_BOUNDARIES


def _read_here(content: bytes) -> Reading:
    """Raises `router.mail.contents.HtmlNotAllowed`."""
    contents = parse.parse(content, html=False)
    return Reading(contents, terms.of_mail(contents.text, contents.quoted))
