"""Load during restarts: senders that retry each message until it is accepted, and clients of the API.

A restart must never refuse a connection or close one before its 220 greeting. A later 4yz reply or closed connection is
normal.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.support import mails
from tests.support.smtp import ConnectionClosedError, RawSmtp

SENDERS = 4


@dataclass
class SenderLoad:
    """Senders of numbered messages. `accepted` maps each Message-ID to the ID in the 250 reply."""

    address: tuple[str, int]
    accepted: dict[str, str] = field(default_factory=dict)
    rejected: list[str] = field(default_factory=list)  # error or greeting of each connection without a 220 greeting
    _stopping: bool = False
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _allowed: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    _progress: asyncio.Condition = field(default_factory=asyncio.Condition)
    accepted_signal: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(0)
    )  # released once for each accepted message

    async def wait_for_more(self, n: int, *, timeout: float = 60) -> None:
        """Allows 2 * `n` more messages, and returns when `n` more were accepted, while senders continue.

        So even a long restart causes a limited number of messages.
        """
        wanted = len(self.accepted) + n
        for _ in range(2 * n):
            self._allowed.release()
        async with asyncio.timeout(timeout), self._progress:
            await self._progress.wait_for(lambda: len(self.accepted) >= wanted)

    def stop(self) -> None:
        self._stopping = True
        for _ in range(SENDERS):
            self._allowed.release()

    async def send(self) -> None:
        """Sends messages one after the other, and retries each until it is accepted."""
        while True:
            await self._allowed.acquire()
            if self._stopping:
                return
            number = next(self._numbers)
            message_id = f"<{number}@load.test>"
            content = mails.plain(subject=f"Mail {number}", message_id=message_id)
            while (message_id_in_reply := await self._try_send(content)) is None:
                pass  # a restart interrupted the message
            async with self._progress:
                self.accepted[message_id] = message_id_in_reply
                self.accepted_signal.release()
                self._progress.notify_all()

    async def _try_send(self, content: bytes) -> str | None:
        try:
            client = await RawSmtp.connect(*self.address, timeout=60)
        except (OSError, ConnectionClosedError) as error:
            self.rejected.append(repr(error))
            return None
        async with client:
            if client.greeting.code != 220:
                self.rejected.append(str(client.greeting))
                return None
            with suppress(ConnectionClosedError, OSError):
                for line in ("EHLO load.test", "MAIL FROM:<ada@customer.test>", "RCPT TO:<support@example.org>"):
                    if (await client.command(line)).code != 250:
                        return None
                reply = await client.data(content)
                if reply.code == 250:
                    return reply.text.rpartition(" ")[2]
            return None


@asynccontextmanager
async def _running(coroutines: Sequence[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Runs coroutines, which the body of the `with` block tells to end. Cancels them if the body raises."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        yield
        async with asyncio.timeout(60):
            await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def under_load(address: tuple[str, int]) -> AsyncIterator[SenderLoad]:
    """Runs the senders during the `with` block. At its end, each sender finishes its current message."""
    load = SenderLoad(address)
    async with _running([load.send() for _ in range(SENDERS)]):
        yield load
        load.stop()


@dataclass
class RequestResults:
    """`unanswered` lists the reason for each request without a 200 response."""

    answered: int = 0
    unanswered: list[str] = field(default_factory=list)


@asynccontextmanager
async def send_requests_under_load(address: tuple[str, int], load: SenderLoad) -> AsyncIterator[RequestResults]:
    """Sends at most one HTTP request for each accepted message of `load`, each on a new connection."""
    results, stop = RequestResults(), asyncio.Event()
    url = f"http://{address[0]}:{address[1]}/readyz"

    async def send_requests() -> None:
        while True:
            await load.accepted_signal.acquire()
            if stop.is_set():
                return
            try:
                async with (
                    aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as http,
                    http.get(url, timeout=aiohttp.ClientTimeout(60)) as response,
                ):
                    if response.status == 200:
                        results.answered += 1
                    else:
                        results.unanswered.append(str(response.status))
            except (aiohttp.ClientError, TimeoutError) as error:
                results.unanswered.append(repr(error))

    requesters = [send_requests() for _ in range(2)]
    async with _running(requesters):
        yield results
        stop.set()
        for _ in requesters:
            load.accepted_signal.release()
