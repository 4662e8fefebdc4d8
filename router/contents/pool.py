"""Parses messages, verifies their signatures and sanitises HTML to send without blocking the event loop.

Each takes bounded time for any message. Small messages without HTML are parsed in a thread, all others in a worker
process, which also verifies and sanitises. A crafted message can at most end a worker. Workers start on demand in a new
interpreter. They end with `close` or with this process.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog

from router.contents.worker import (
    ATTACHMENT_OPERATION,
    BOUNCE_OPERATION,
    CLEAN_OPERATION,
    PARSE_OPERATION,
    READY_SIGNAL,
    REQUEST_HEADER,
    RESPONSE_HEADER,
    TEMPLATE_OPERATION,
    VERIFY_OPERATION,
)
from router.dns.answers import DnsAnswer
from router.errors import Unavailable
from router.mail import delivery_reports, parse
from router.mail.auth_results import AuthResult
from router.mail.compose.html import CleanHtml
from router.mail.contents import Attachment, AttachmentData, Contents, HtmlNotAllowed
from router.mail.delivery_reports import BounceReport
from router.mail.dkim.signature import read_signatures, results_without_keys
from router.model import Micros
from router.search import terms

# Bytes. A thread that parses a larger message could hold the GIL for too long.
MAX_SMALL_BYTES = 64 * 1024
# Lines that start with `--`. A message with many of them can take as long to parse as a larger message.
MAX_SMALL_BOUNDARIES = 500
# A worker parses the messages that contain this. A thread would stop at the HTML, and a worker start again.
_HTML_TYPE = b"text/html"
MAX_THREADS = 2
MAX_WORKERS = 2
# After this time, a worker that has not reached its own CPU limit is killed. It is shorter than the default
# `[delivery] lease`: a delivery whose message is parsed for longer than its lease is not sent until its next attempt.
PARSE_TIMEOUT_SECONDS = 30.0
START_TIMEOUT_SECONDS = 20.0
_CHUNK_BYTES = 256 * 1024

# Isolated mode (-I): imports depend neither on the environment nor on the working directory.
_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from router.contents.worker import main; main()"
WORKER_COMMAND = (sys.executable, "-I", "-c", _PROGRAM, str(Path(__file__).parents[2]))

log = structlog.get_logger()


class UnparsableMessage(Exception):  # noqa: N818 - describes a message, not a fault
    """This version cannot parse the message, or verify it. The exception text is the reason, which users see."""


class _WorkerKilled(Exception):  # noqa: N818 - describes a worker
    """SIGKILL ended the worker during a request."""


@dataclass(frozen=True, slots=True)
class ParsedMessage:
    """The contents of a message and their search terms."""

    contents: Contents
    search_words: list[str]


async def _record_nothing() -> None:
    """Does nothing: the default of `before_parse`."""


class Parser:
    """Parses messages. Create only one per process. `timeout_seconds` limits the wall clock time of a request."""

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
        """Parses a message.

        Args:
            before_parse: Awaited before a worker receives the message, but not if a thread parses it. Its exceptions
                propagate.

        Raises:
            UnparsableMessage: Parsing took too long or crashed the worker.
            Unavailable: No worker could be started.
        """
        if is_small(content) and _HTML_TYPE not in content.lower():
            with suppress(HtmlNotAllowed):
                async with self._thread_slots:
                    return await asyncio.to_thread(_parse_here, content)
        head, words = await self._request(PARSE_OPERATION, 0, (content,), before_parse)
        return ParsedMessage(Contents.from_json(head), words.decode().split("\n") if words else [])

    async def read_bounce(self, content: bytes) -> BounceReport:
        """Reads what a bounce reports. Raises the same exceptions as `parse`."""
        if is_small(content):
            with suppress(HtmlNotAllowed):
                async with self._thread_slots:
                    return await asyncio.to_thread(delivery_reports.read_bounce, content, html=False)
        head, _ = await self._request(BOUNCE_OPERATION, 0, (content,))
        return BounceReport.from_json(head)

    async def extract_attachment(self, content: bytes, n: int) -> AttachmentData | None:
        """Returns attachment number `n`, or None if it does not exist. Raises the same exceptions as `parse`."""
        if is_small(content):
            with suppress(HtmlNotAllowed):
                async with self._thread_slots:
                    return await asyncio.to_thread(parse.extract_attachment, content, n, html=False)
        if not 0 < n < 1 << 32:
            return None
        head, data = await self._request(ATTACHMENT_OPERATION, n, (content,))
        found = json.loads(head)
        return None if found is None else AttachmentData(Attachment(**found), data)

    async def verify_signatures(
        self, content: bytes, from_domain: str, keys: Mapping[str, DnsAnswer], received_at: Micros
    ) -> tuple[AuthResult, ...]:
        """Verifies the DKIM signatures of a message, as `router.mail.dkim.verify.verify` describes.

        The signatures of a message that ends its worker are `temperror`.

        Args:
            keys: The answers for the TXT records of the keys, by `DkimSignature.key_name`.

        Raises:
            Unavailable: No worker could be started.
        """
        signatures = read_signatures(content, from_domain)
        results = results_without_keys(signatures)
        if results is not None:
            return results
        names = {signature.key_name for signature in signatures} & keys.keys()
        question = json.dumps([from_domain, {name: asdict(keys[name]) for name in names}, received_at]).encode()
        try:
            head, _ = await self._request(VERIFY_OPERATION, len(question), (question, content))
        except UnparsableMessage as error:
            return tuple(item.fault or item.result("temperror", f"not verified: {error}") for item in signatures)
        return tuple(AuthResult(**result) for result in json.loads(head))

    async def clean_html(self, html: str, content_ids: Iterable[str] = ()) -> CleanHtml | None:
        """Returns HTML that can be sent, as `router.mail.compose.html.clean_html` describes; None if it is too complex.

        Args:
            content_ids: The ids of the files of the message, which the HTML may reference.

        Raises:
            Unavailable: No worker could be started.
        """
        question = json.dumps(list(content_ids)).encode()
        content = html.encode("utf-8", "replace")  # a lone surrogate becomes a question mark
        try:
            head, _ = await self._request(CLEAN_OPERATION, len(question), (question, content))
        except UnparsableMessage:
            return None
        found = json.loads(head)
        return None if found is None else CleanHtml(**found)

    async def sanitize_template(self, html: str, *, is_editable: bool) -> str | None:
        """Returns the HTML of a template, sanitised (`router.mail.compose.template_html`); None if it is too complex.

        Raises:
            Unavailable: No worker could be started.
        """
        try:
            head, _ = await self._request(TEMPLATE_OPERATION, int(is_editable), (html.encode("utf-8", "replace"),))
        except UnparsableMessage:
            return None
        clean: str | None = json.loads(head)
        return clean

    async def close(self) -> None:
        """Stops the idle workers. A busy worker completes its request and then stops."""
        self._closed = True
        idle, self._idle_workers = self._idle_workers, []
        for worker in idle:
            await worker.close()

    async def _request(
        self,
        operation: bytes,
        n: int,
        data: Sequence[bytes],
        before_parse: Callable[[], Awaitable[None]] = _record_nothing,
    ) -> tuple[str, bytes]:
        async with self._worker_slots:
            await before_parse()
            for is_last in (False, True):
                worker = await self._take_worker()
                is_done = False
                try:
                    async with asyncio.timeout(self._timeout_seconds):
                        response = await worker.request(operation, n, data)
                    is_done = True
                    return response
                except TimeoutError:
                    raise UnparsableMessage("parsing timed out") from None
                except _WorkerKilled:
                    log.warning("parsing.worker_killed", size=sum(map(len, data)), retry=not is_last)
                    if is_last:
                        raise UnparsableMessage("the parser process crashed") from None
                finally:
                    if is_done and not self._closed:
                        self._idle_workers.append(worker)
                    elif is_done:
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
    """One worker process; it handles one request at a time."""

    def __init__(self, process: Process) -> None:
        if process.stdin is None or process.stdout is None:
            raise ValueError("a worker needs pipes for standard input and output")
        self._process = process
        self._stdin = process.stdin
        self._stdout = process.stdout

    @staticmethod
    async def start(command: Sequence[str]) -> _Worker:
        """Starts a worker and waits until it is ready. Raises `Unavailable` if it does not start."""
        try:
            # The worker parses untrusted input, so its environment contains no secrets.
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

    async def request(self, operation: bytes, n: int, data: Sequence[bytes]) -> tuple[str, bytes]:
        """Sends a request; returns the JSON and the data of the response.

        Args:
            data: The pieces of the data.

        Raises:
            _WorkerKilled: SIGKILL ended the worker.
            UnparsableMessage: The worker ended for any other reason.
        """
        stdin, stdout = self._stdin, self._stdout
        size = sum(map(len, data))
        try:
            stdin.write(REQUEST_HEADER.pack(operation, n, size))
            for piece in data:
                view = memoryview(piece)
                for start in range(0, len(view), _CHUNK_BYTES):
                    stdin.write(view[start : start + _CHUNK_BYTES])
                    await stdin.drain()
            await stdin.drain()
            head_size, data_size = RESPONSE_HEADER.unpack(await stdout.readexactly(RESPONSE_HEADER.size))
            return (await stdout.readexactly(head_size)).decode(), await stdout.readexactly(data_size)
        except (asyncio.IncompleteReadError, ConnectionError):
            code = await self._process.wait()
            if code == -signal.SIGPROF:
                raise UnparsableMessage("parsing timed out") from None
            if code == -signal.SIGKILL:
                raise _WorkerKilled from None
            log.warning("parsing.worker_crashed", size=size, exit_code=code)
            raise UnparsableMessage("the parser process crashed") from None

    async def close(self) -> None:
        """Closes standard input, which ends the worker. Kills the worker if it does not end in time."""
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
    """Whether a thread can parse the message without blocking the event loop for long, provided it has no HTML."""
    return len(content) <= MAX_SMALL_BYTES and content.count(b"\n--") <= MAX_SMALL_BOUNDARIES


def _parse_here(content: bytes) -> ParsedMessage:
    """Parses in this process. Raises `HtmlNotAllowed` at a part that must be parsed as HTML."""
    contents = parse.parse(content, html=False)
    return ParsedMessage(contents, terms.message_words(contents))
