"""A sender that behaves like an MTA: it keeps each mail until it hears 250, and sends again after anything else.

Each recipient of a mail counts for itself, as in a real queue: after a `451` for one of two the mail goes on for the
other, and comes again, with the same octets, for the one that waits. A lost connection says nothing about the mail
that was under way, so it comes again. A 5yz is final; there must be none, and they are kept to be looked at.
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
# How long this sender waits before it tries again; a real one waits minutes.
_RETRY_SECONDS = 0.02
_MAX_REPLIES = 1000


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    """number: unique in a run; it is in the subject. waiting: the recipients that have not said 250 yet."""

    number: int
    recipients: tuple[str, ...]
    reverse_path: str
    content: bytes


@dataclass(slots=True)
class _Queued:
    mail: OutgoingMail
    waiting: set[str] = field(default_factory=set)


class Mta:
    """`async with Mta(where, connections=4) as mta: mta.offer(mails); await mta.all_taken()`.

    where: the addresses of the servers now, asked before each connection; they change when a server comes back.
    """

    def __init__(
        self, servers: Callable[[], Sequence[tuple[str, int]]], *, connections: int, timeout: float = 30
    ) -> None:
        self._servers = servers
        self._connections = connections
        self._timeout = timeout
        self._queue: deque[_Queued] = deque()
        self._pending = 0  # mails that are queued or under way
        self._next_server = itertools.count()
        self._changed = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []
        self.acknowledged: dict[tuple[int, str], str] = {}  # (mail's number, recipient) -> the id in the 250
        self.rejected: list[str] = []  # 5yz
        self.deferred: deque[str] = deque(maxlen=_MAX_REPLIES)  # 4yz, the last ones
        self.deferred_count = 0
        self.lost_connections = 0  # connections that ended without a word

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

    def queue(self, mails: Iterable[OutgoingMail]) -> None:
        """These are to be sent, after those that wait already."""
        for mail in mails:
            self._queue.append(_Queued(mail, set(mail.recipients)))
            self._pending += 1

    @property
    def pending(self) -> int:
        """Mails that were not taken yet."""
        return self._pending

    async def wait_all_accepted(self, *, timeout: float = 60) -> None:
        """Returns when every mail was answered with 250 for every recipient."""
        await self.wait_until(lambda: self._pending == 0, timeout=timeout)

    async def wait_accepted(self, total: int, *, timeout: float = 60) -> None:
        """Returns when so many recipients were acknowledged since the beginning."""
        await self.wait_until(lambda: len(self.acknowledged) >= total, timeout=timeout)

    async def wait_until(self, condition: Callable[[], bool], *, timeout: float = 60) -> None:
        """Returns when `true()` holds, looked at after each reply and each lost connection."""
        try:
            async with asyncio.timeout(timeout), self._changed:
                await self._changed.wait_for(lambda: condition() or self._failed())
        except TimeoutError:
            raise TimeoutError(
                f"after {timeout} s {self._pending} mails wait, {len(self.acknowledged)} are acknowledged, "
                f"{self.lost_connections} connections were lost; "
                f"last replies: {list(self.deferred)[-5:]}, refused: {self.rejected[:5]}"
            ) from None
        if not condition():
            await asyncio.gather(*(task for task in self._tasks if task.done()))  # raises what ended it

    def _failed(self) -> bool:
        return any(task.done() for task in self._tasks)

    async def _send_repeatedly(self) -> None:
        """One connection after another, each with as many mails as it lasts for."""
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
            good = True
            while good and self._queue:
                queued = self._queue.popleft()
                try:
                    good = await self._run_transaction(reader, writer, queued)
                finally:
                    if queued.waiting:
                        self._queue.append(queued)
                    else:
                        self._pending -= 1
                await self._notify_changed()
            if good:
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
        """One mail for the recipients that wait; False when the connection is done for."""
        mail, asked = queued.mail, sorted(queued.waiting)
        commands = [f"MAIL FROM:<{mail.reverse_path}>", *(f"RCPT TO:<{r}>" for r in asked), "DATA"]
        writer.write("".join(f"{command}\r\n" for command in commands).encode())
        answers = [await self._read_reply(reader) for _ in commands]
        begun = self._is_accepted(answers[0], queued, *asked)
        taken = [
            r for r, answer in zip(asked, answers[1:-1], strict=True) if begun and self._is_accepted(answer, queued, r)
        ]
        if not taken or not answers[-1].startswith(b"3"):
            # Put off, or refused for good; an accepted recipient without DATA would be a fault.
            assert not taken or answers[-1].startswith(b"4"), answers
            await asyncio.sleep(_RETRY_SECONDS)
            return False
        writer.write(mail.content.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        async with asyncio.timeout(self._timeout):
            await writer.drain()
        answer = await self._read_reply(reader)
        if self._is_accepted(answer, queued, *taken):
            found = _QUEUED.search(answer)
            assert found, answer
            for recipient in taken:
                queued.waiting.discard(recipient)
                self.acknowledged[mail.number, recipient] = found[1].decode()
            return True
        return not answer.startswith(b"421")

    def _is_accepted(self, answer: bytes, queued: _Queued, *recipients: str) -> bool:
        """Whether it is a 2yz; a 5yz ends it for these recipients, and is kept."""
        if answer.startswith(b"5"):
            self.rejected.append(f"{queued.mail.number} {recipients}: {answer.decode(errors='replace').strip()}")
            queued.waiting.difference_update(recipients)
        elif answer.startswith(b"4"):
            self.deferred_count += 1
            self.deferred.append(answer.decode(errors="replace").strip())
        return answer.startswith(b"2")

    async def _read_reply(self, reader: asyncio.StreamReader) -> bytes:
        """One whole reply. EOFError when the server is gone."""
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
