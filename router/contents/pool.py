"""Parses mails where they cannot hold up the event loop: small ones without HTML in a thread, all others in a process.

HTML is never parsed in this process: the thread's parser stops at the first part that it would read as HTML
(`router.mail.contents.HtmlNotAllowed`), whatever the mail's bytes look like, and the mail goes to a worker.

Promises: `parse` and `extract_attachment` answer for any mail in bounded time. A mail that takes too long or kills its process is
`UnparsableMessage`, with the reason; a process that was killed (SIGKILL) gets a successor, which tries once more. Never says
`UnparsableMessage` of a mail for what is the machine's fault: that is `Unavailable`. Processes are started when first needed,
`MAX_WORKERS` at most, by a fresh interpreter and not by a fork of this one; they end with `close`, and by themselves when
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

from router.contents.worker import ATTACHMENT_OPERATION, PARSE_OPERATION, READY_SIGNAL, REQUEST_HEADER, RESPONSE_HEADER
from router.errors import Unavailable
from router.mail import parse
from router.mail.contents import Attachment, AttachmentData, Contents, HtmlNotAllowed
from router.search import terms

# Larger ones cost more than the 20 ms that a thread may take from the event loop beside it (by the interpreter's lock).
MAX_SMALL_BYTES = 64 * 1024
# So do small ones of little but parts: they go where large ones do.
MAX_SMALL_BOUNDARIES = 500
MAX_THREADS = 2
MAX_WORKERS = 2
# Of the wall clock, for when the worker's own bound on CPU time does not come to pass because it does not run: it was
# stopped, or the machine is overloaded. Half the time that a deliverer holds a webhook by default.
PARSE_TIMEOUT_SECONDS = 30.0
START_TIMEOUT_SECONDS = 20.0
_CHUNK_BYTES = 256 * 1024

# Isolated (-I): neither the environment nor the working folder decides what it imports. The path is this program's own.
_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from router.contents.worker import main; main()"
WORKER_COMMAND = (sys.executable, "-I", "-c", _PROGRAM, str(Path(__file__).parents[2]))

log = structlog.get_logger()


class UnparsableMessage(Exception):  # noqa: N818 - said of a mail, not of a fault
    """No parser of this version gets through this mail; the text says why, in words for people."""


class _WorkerKilled(Exception):  # noqa: N818 - said of a worker
    """The worker was ended by SIGKILL in the middle of its answer: by the kernel or an operator."""


@dataclass(frozen=True, slots=True)
class ParsedMessage:
    """What was read of a mail. words: what its text is found by (`router.search.terms.of_mail`)."""

    contents: Contents
    search_words: list[str]


async def _record_nothing() -> None:
    """For a caller that keeps no record of attempts."""


class Parser:
    """One for each process. worker: the command line to start; patience: seconds of the wall clock for one mail."""

    def __init__(
        self, command: Sequence[str] = WORKER_COMMAND, *, timeout_seconds: float = PARSE_TIMEOUT_SECONDS
    ) -> None:
        self._command = tuple(command)
        self._timeout_seconds = timeout_seconds
        self._idle_workers: list[_Worker] = []
        self._thread_slots = asyncio.Semaphore(MAX_THREADS)
        self._worker_slots = asyncio.Semaphore(MAX_WORKERS)
        self._closed = False

    async def parse(
        self, content: bytes, before_parse: Callable[[], Awaitable[None]] = _record_nothing
    ) -> ParsedMessage:
        """What people read of a mail. Raises `UnparsableMessage`, `Unavailable`.

        begin: awaited once before a worker gets the mail, when its turn has come; what it raises ends the reading.
        """
        if is_small(content):
            with suppress(HtmlNotAllowed):
                async with self._thread_slots:
                    return await asyncio.to_thread(_parse_here, content)
        head, words = await self._request(PARSE_OPERATION, 0, content, before_parse)
        return ParsedMessage(Contents.from_json(head), words.decode().split("\n") if words else [])

    async def extract_attachment(self, content: bytes, n: int) -> AttachmentData | None:
        """The attachment with this number, None when there is none. Raises `UnparsableMessage`, `Unavailable`."""
        if is_small(content):
            with suppress(HtmlNotAllowed):
                async with self._thread_slots:
                    return await asyncio.to_thread(parse.extract_attachment, content, n, html=False)
        if not 0 < n < 1 << 32:
            return None
        head, data = await self._request(ATTACHMENT_OPERATION, n, content)
        found = json.loads(head)
        return None if found is None else AttachmentData(Attachment(**found), data)

    async def close(self) -> None:
        """Ends the workers. What is being parsed is still answered, and its worker ends then."""
        self._closed = True
        idle, self._idle_workers = self._idle_workers, []
        for worker in idle:
            await worker.close()

    async def _request(
        self, operation: bytes, n: int, content: bytes, before_parse: Callable[[], Awaitable[None]] = _record_nothing
    ) -> tuple[str, bytes]:
        async with self._worker_slots:
            await before_parse()
            for last in (False, True):
                worker = await self._take_worker()
                done = False
                try:
                    async with asyncio.timeout(self._timeout_seconds):
                        answer = await worker.request(operation, n, content)
                    done = True
                    return answer
                except TimeoutError:
                    raise UnparsableMessage("parsing timed out") from None
                except _WorkerKilled:
                    log.warning("parsing.worker_killed", size=len(content), retry=not last)
                    if last:
                        raise UnparsableMessage("the parser process crashed") from None
                finally:
                    if done and not self._closed:
                        self._idle_workers.append(worker)
                    elif done:
                        await worker.close()
                    else:
                        await worker.kill()
            raise AssertionError("the second attempt returns or raises")

    async def _take_worker(self) -> _Worker:
        while self._idle_workers:
            worker = self._idle_workers.pop()
            if worker.is_alive:
                return worker
            await worker.kill()
        return await _Worker.start(self._command)


class _Worker:
    """One process, which answers one question at a time."""

    def __init__(self, process: Process) -> None:
        if process.stdin is None or process.stdout is None:
            raise ValueError("a worker needs pipes for standard input and output")
        self._process = process
        self._stdin = process.stdin
        self._stdout = process.stdout

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
            async with asyncio.timeout(START_TIMEOUT_SECONDS):
                ready = await worker._stdout.read(len(READY_SIGNAL))
        except TimeoutError:
            pass
        finally:
            if ready != READY_SIGNAL:
                await worker.kill()
        if ready != READY_SIGNAL:
            raise Unavailable("the parser process did not start")
        log.debug("parsing.worker_started", pid=process.pid)
        return worker

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    async def request(self, operation: bytes, n: int, content: bytes) -> tuple[str, bytes]:
        """Raises `_WorkerKilled` when the worker was killed, `UnparsableMessage` when it ended for any other reason."""
        questions, answers = self._stdin, self._stdout
        try:
            questions.write(REQUEST_HEADER.pack(operation, n, len(content)))
            view = memoryview(content)
            for start in range(0, len(content), _CHUNK_BYTES):
                questions.write(view[start : start + _CHUNK_BYTES])
                await questions.drain()
            await questions.drain()
            head, data = RESPONSE_HEADER.unpack(await answers.readexactly(RESPONSE_HEADER.size))
            return (await answers.readexactly(head)).decode(), await answers.readexactly(data)
        except (asyncio.IncompleteReadError, ConnectionError):
            code = await self._process.wait()
            if code == -signal.SIGPROF:
                raise UnparsableMessage("parsing timed out") from None
            if code == -signal.SIGKILL:
                raise _WorkerKilled from None
            log.warning("parsing.worker_crashed", size=len(content), exit_code=code)
            raise UnparsableMessage("the parser process crashed") from None

    async def close(self) -> None:
        """Its input ends, and so does it."""
        self._stdin.close()
        try:
            async with asyncio.timeout(START_TIMEOUT_SECONDS):
                await self._process.wait()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        await asyncio.shield(self._process.wait())
        self._stdin.close()


def is_small(content: bytes) -> bool:
    """Whether a mail without HTML is parsed faster than it is handed to another process."""
    return len(content) <= MAX_SMALL_BYTES and content.count(b"\n--") <= MAX_SMALL_BOUNDARIES


def _parse_here(content: bytes) -> ParsedMessage:
    """Raises `router.mail.contents.HtmlNotAllowed`."""
    contents = parse.parse(content, html=False)
    return ParsedMessage(contents, terms.of_mail(contents.text, contents.quoted))
