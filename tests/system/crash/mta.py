"""A sender that, like an MTA, retries each message until every recipient is accepted or rejected with 5yz.

After a lost connection it is unknown whether the message in transfer was accepted, so the sender sends it again.
"""

import asyncio
import contextlib
import itertools
import re
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

_REPLY = re.compile(rb"([2-5])[0-9][0-9]([ -])")
_QUEUED = re.compile(rb"queued as (\S+)")
# A real MTA waits minutes before it retries.
_RETRY_SECONDS = 0.02
_MAX_REPLIES = 1000


@dataclass(frozen=True, slots=True)
class MailToSend:
    """A message to send. `number` is unique in a run and part of the subject."""

    number: int
    recipients: tuple[str, ...]
    reverse_path: str
    content: bytes


@dataclass(slots=True)
class _Queued:
    mail: MailToSend
    waiting: set[str] = field(default_factory=set)


class QueueingMta:
    """Sends queued messages until each recipient is accepted or rejected.

    `servers` is called before each connection and returns the current addresses of the servers.
    """

    def __init__(
        self, servers: Callable[[], Sequence[tuple[str, int]]], *, connections: int, timeout: float = 30
    ) -> None:
        self._servers = servers
        self._connections = connections
        self._timeout = timeout
        self._queue: deque[_Queued] = deque()
        self._pending = 0  # messages that are queued or in transfer
        self._next_server = itertools.count()
        self._changed = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []
        self.acknowledged: dict[tuple[int, str], str] = {}  # (number, recipient) -> message ID in the 250 reply
        self.rejected: list[str] = []  # the 5yz replies, with number and recipients of the message
        self.deferred: deque[str] = deque(maxlen=_MAX_REPLIES)  # the latest 4yz replies to MAIL, RCPT and messages
        self.deferred_count = 0
        self.lost_connections = 0  # connections that could not be opened, ended or timed out

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._send_repeatedly()) for _ in range(self._connections)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        outcomes = await asyncio.gather(*self._tasks, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    def queue(self, mails: Iterable[MailToSend]) -> None:
        for mail in mails:
            self._queue.append(_Queued(mail, set(mail.recipients)))
            self._pending += 1

    @property
    def pending(self) -> int:
        return self._pending

    async def wait_all_accepted(self, *, timeout: float = 60) -> None:
        await self.wait_until(lambda: self._pending == 0, timeout=timeout)

    async def wait_accepted(self, total: int, *, timeout: float = 60) -> None:
        """Waits until `total` recipients were acknowledged since the start."""
        await self.wait_until(lambda: len(self.acknowledged) >= total, timeout=timeout)

    async def wait_until(self, condition: Callable[[], bool], *, timeout: float = 60) -> None:
        """Waits until `condition` is true. Checks it after each transaction and each lost connection.

        Raises TimeoutError, or the exception of a sending task that failed.
        """
        try:
            async with asyncio.timeout(timeout), self._changed:
                await self._changed.wait_for(lambda: condition() or self._failed())
        except TimeoutError:
            raise TimeoutError(
                f"after {timeout} s {self._pending} messages are pending, {len(self.acknowledged)} are acknowledged, "
                f"{self.lost_connections} connections were lost; "
                f"last replies: {list(self.deferred)[-5:]}, rejected: {self.rejected[:5]}"
            ) from None
        if not condition():
            await asyncio.gather(*(task for task in self._tasks if task.done()))  # raises the exception of a task

    def _failed(self) -> bool:
        return any(task.done() for task in self._tasks)

    async def _send_repeatedly(self) -> None:
        while True:
            if not self._queue:
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            servers = self._servers()
            if servers:
                host, port = servers[next(self._next_server) % len(servers)]
                try:
                    await self._run_connection(host, port)
                except (OSError, EOFError, TimeoutError):
                    self.lost_connections += 1
                    await self._notify_changed()
            await asyncio.sleep(_RETRY_SECONDS)

    async def _run_connection(self, host: str, port: int) -> None:
        async with asyncio.timeout(self._timeout):
            reader, writer = await asyncio.open_connection(host, port)
        try:
            if not (await self._read_reply(reader)).startswith(b"2"):
                return
            writer.write(b"EHLO mta.test\r\n")
            if not (await self._read_reply(reader)).startswith(b"2"):
                return
            usable = True
            while usable and self._queue:
                queued = self._queue.popleft()
                try:
                    usable = await self._run_transaction(reader, writer, queued)
                finally:
                    if queued.waiting:
                        self._queue.append(queued)
                    else:
                        self._pending -= 1
                await self._notify_changed()
            if usable:
                writer.write(b"QUIT\r\n")
                await self._read_reply(reader)
        finally:
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(1):
                    await writer.wait_closed()

    async def _run_transaction(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, queued: _Queued
    ) -> bool:
        """Sends one message to its pending recipients. Returns whether to keep the connection."""
        mail, asked = queued.mail, sorted(queued.waiting)
        commands = [f"MAIL FROM:<{mail.reverse_path}>", *(f"RCPT TO:<{r}>" for r in asked), "DATA"]
        writer.write("".join(f"{command}\r\n" for command in commands).encode())
        answers = [await self._read_reply(reader) for _ in commands]
        begun = self._is_accepted(answers[0], queued, *asked)
        accepted = [
            r for r, answer in zip(asked, answers[1:-1], strict=True) if begun and self._is_accepted(answer, queued, r)
        ]
        if not accepted or not answers[-1].startswith(b"3"):
            # If a recipient was accepted, the server may answer DATA with 4yz, but not with 5yz.
            assert not accepted or answers[-1].startswith(b"4"), answers
            await asyncio.sleep(_RETRY_SECONDS)
            return False
        writer.write(mail.content.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        async with asyncio.timeout(self._timeout):
            await writer.drain()
        answer = await self._read_reply(reader)
        if self._is_accepted(answer, queued, *accepted):
            found = _QUEUED.search(answer)
            assert found, answer
            for recipient in accepted:
                queued.waiting.discard(recipient)
                self.acknowledged[mail.number, recipient] = found[1].decode()
            return True
        return not answer.startswith(b"421")

    def _is_accepted(self, answer: bytes, queued: _Queued, *recipients: str) -> bool:
        """Returns whether the reply is 2yz. Records a 4yz or 5yz.

        After a 5yz the message is not sent to `recipients` again.
        """
        if answer.startswith(b"5"):
            self.rejected.append(f"{queued.mail.number} {recipients}: {answer.decode(errors='replace').strip()}")
            queued.waiting.difference_update(recipients)
        elif answer.startswith(b"4"):
            self.deferred_count += 1
            self.deferred.append(answer.decode(errors="replace").strip())
        return answer.startswith(b"2")

    async def _read_reply(self, reader: asyncio.StreamReader) -> bytes:
        """Reads a reply of one or more lines. Raises EOFError if the server closes the connection."""
        whole = b""
        async with asyncio.timeout(self._timeout):
            while True:
                line = await reader.readuntil(b"\r\n")
                found = _REPLY.match(line)
                assert found, line
                whole += line
                if found[2] == b" ":
                    return whole

    async def _notify_changed(self) -> None:
        async with self._changed:
            self._changed.notify_all()
