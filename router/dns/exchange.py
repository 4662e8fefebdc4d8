"""One question to one name server, over UDP and where the answer is too large over TCP.

It promises: every question ends within its timeout. A server that does not understand EDNS (RFC 6891: it answers
with an error, or not at all) is asked without it, and not bothered with it again for `WITHOUT_EDNS` seconds.
"""

from __future__ import annotations

import asyncio
import secrets
import time

import dns.name

from router.dns.message import ANSWERS, Foreign, Malformed, Reply, decode, question

WITHOUT_EDNS = 600.0  # seconds; one question in ten minutes finds out whether the server was replaced
_MAX_WAITING = 16  # datagrams that wait to be decoded; a question has one answer or two


class Unusable(Exception):  # noqa: N818 - named for the answer
    """The server answered, and the answer cannot be used; reason in words for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NameServer:
    """host: an IP address."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self._plain_until = 0.0

    @property
    def without_edns(self) -> bool:
        """Whether it is asked without EDNS, because it did not understand it."""
        return time.monotonic() < self._plain_until

    async def ask(self, name: dns.name.Name, kind: int, timeout: float) -> Reply:
        """A whole reply, whatever its rcode. name: absolute. timeout: seconds.

        Raises `Unusable`, or OSError when the server cannot be reached (TimeoutError: it does not answer).
        """
        first: Reply | None = None
        edns = not self.without_edns
        try:
            async with asyncio.timeout(timeout):
                try:
                    # The second datagram helps against loss too. A server that is silent to EDNS answers it.
                    first, edns = await self._exchange(name, kind, (edns, False), timeout)
                except Malformed:
                    if not edns:
                        raise
                if first is not None and (not edns or first.rcode in ANSWERS):
                    return first
                second, _ = await self._exchange(name, kind, (False, False), timeout)
                if second.rcode in ANSWERS:
                    self._plain_until = time.monotonic() + WITHOUT_EDNS
                return second
        except Malformed:
            raise Unusable("the name servers sent an answer that cannot be read") from None
        except OSError:
            if first is None:
                raise
            return first

    async def _exchange(
        self, name: dns.name.Name, kind: int, attempts: tuple[bool, ...], timeout: float
    ) -> tuple[Reply, bool]:
        """The reply, and whether the question that it answers had EDNS."""
        reply, edns = await self._udp(name, kind, attempts, timeout)
        if not edns and attempts[0]:
            self._plain_until = time.monotonic() + WITHOUT_EDNS
        if not reply.truncated:
            return reply, edns
        try:
            return await self._tcp(name, kind, edns=edns), edns
        except (OSError, asyncio.IncompleteReadError) as error:
            raise Unusable("the answer is too large for UDP, and TCP to the name server fails") from error

    async def _udp(
        self, name: dns.name.Name, kind: int, attempts: tuple[bool, ...], timeout: float
    ) -> tuple[Reply, bool]:
        sent: dict[int, bool] = {}
        loop = asyncio.get_running_loop()
        transport, received = await loop.create_datagram_endpoint(_Datagrams, remote_addr=(self.host, self.port))
        try:
            for edns in attempts:
                number = secrets.randbelow(0x10000)
                sent[number] = edns
                transport.sendto(question(name, kind, number, edns=edns))
                limit = asyncio.timeout(timeout / len(attempts))
                try:
                    async with limit:
                        return await _reply(received.inbox, sent, name, kind)
                except TimeoutError:
                    if not limit.expired():
                        raise
            raise TimeoutError
        finally:
            transport.abort()

    async def _tcp(self, name: dns.name.Name, kind: int, *, edns: bool) -> Reply:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            number = secrets.randbelow(0x10000)
            wire = question(name, kind, number, edns=edns)
            writer.write(len(wire).to_bytes(2, "big") + wire)
            length = int.from_bytes(await reader.readexactly(2), "big")
            reply = decode(await reader.readexactly(length), name, kind, number)
        except Foreign:
            raise Malformed("another question's reply") from None
        finally:
            writer.transport.abort()
        if reply.truncated:
            raise Malformed("truncated over TCP")
        return reply


async def _reply(
    inbox: asyncio.Queue[bytes | Exception], sent: dict[int, bool], name: dns.name.Name, kind: int
) -> tuple[Reply, bool]:
    """The first datagram that answers one of the questions; others are dropped (RFC 5452 section 9.1)."""
    while True:
        wire = await inbox.get()
        if isinstance(wire, Exception):
            raise wire
        number = int.from_bytes(wire[:2], "big")
        if number not in sent:
            continue
        try:
            return decode(wire, name, kind, number), sent[number]
        except Foreign:
            continue


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.inbox: asyncio.Queue[bytes | Exception] = asyncio.Queue(_MAX_WAITING)

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - the socket is connected
        if not self.inbox.full():
            self.inbox.put_nowait(data)

    def error_received(self, exc: Exception) -> None:
        if not self.inbox.full():
            self.inbox.put_nowait(exc)
