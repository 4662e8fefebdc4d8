"""Connections of `tests.system.smtp.fuzz`, with in-memory transports and events in random order."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any

from smtp.bounds import Bounds
from smtp.connection import Connection
from smtp.transport import PauseReason
from tests.integration.smtp.fuzz_dialogues import mutate, random_dialogue, split
from tests.support.smtp_doubles import RunningSmtpServer

MAX_ITERATIONS = 20_000  # maximum number of consecutive iterations of `run_round` in which no peer can send
ADDRESSES = ["192.0.2.1", "2001:db8::1", "2001:db8::2", "10.0.0.1"]


class InvariantError(Exception):
    """An invariant does not hold."""


class FuzzTransport(asyncio.Transport):
    """The server's transport of a connection; records what the server writes and whether it reads."""

    def __init__(self, peer: str, *, tls: bool = False) -> None:
        self._tls = tls
        super().__init__({"peername": (peer, 4025)})
        self.protocol: Connection
        self.written = bytearray()
        self.reading = True
        self.closing = False

    def get_protocol(self) -> Connection:
        return self.protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name in ("ssl_object", "sslcontext"):
            return self if self._tls else None
        return super().get_extra_info(name, default)

    def version(self) -> str:
        return "TLSv1.3"

    def cipher(self) -> tuple[str, str, int]:
        return ("TLS_AES_256_GCM_SHA384", "TLSv1.3", 256)

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if self.closing:
            raise InvariantError("written after the end")
        self.written += data

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        if not self.closing:
            self.closing = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    abort = close

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


@dataclass
class FuzzPeer:
    """One connection of a fuzz round."""

    address: str
    data: bytes
    unsent: list[bytes]
    resets: bool
    fed_bytes: int = 0
    ended: bool = False
    handshake_offsets: list[int] = field(default_factory=list)
    transport: FuzzTransport = field(init=False)
    written: list[bytearray] = field(default_factory=list)

    @property
    def received(self) -> bytes:
        return b"".join(self.written)


async def run_round(server: RunningSmtpServer, rng: random.Random) -> list[FuzzPeer]:
    loop = asyncio.get_running_loop()
    smtp_server = server.server
    proxied = smtp_server._context.expects_proxy
    peers: list[FuzzPeer] = []
    for address in rng.sample(ADDRESSES, rng.randrange(1, 4)):
        data = mutate(rng, random_dialogue(rng))
        header = b""
        if proxied:
            family = "TCP6" if ":" in address else "TCP4"
            header = f"PROXY {family} {address} {address} 1 25\r\n".encode()
        peer = FuzzPeer(address, data, split(rng, header + data), rng.random() < 0.15)
        peer.fed_bytes = -len(header)
        peers.append(peer)
        protocol = Connection(smtp_server._context, smtp_server, smtp_server._tls, loop)
        peer.transport = FuzzTransport("10.0.0.9" if proxied else address)
        peer.transport.protocol = protocol
        peer.written.append(peer.transport.written)
        protocol.connection_made(peer.transport)
    loop.start_tls = _fake_start_tls(peers, rng)  # type: ignore[method-assign]

    idle = 0
    while smtp_server.connection_count:
        open_peers = [peer for peer in peers if not peer.transport.protocol._io.is_lost]
        ready = [
            peer for peer in open_peers if not peer.transport.closing and not peer.ended and peer.transport.reading
        ]
        if ready:
            idle = 0
            _run_event(rng.choice(ready), rng)
        else:
            idle += 1
            for peer in open_peers:
                peer.transport.protocol.resume_writing()
                if idle > MAX_ITERATIONS / 2 and PauseReason.MEMORY in peer.transport.protocol._io.pauses:
                    peer.transport.protocol.check_deadlines(loop.time() + Bounds.memory_timeout, 1e9)
            if idle > MAX_ITERATIONS:
                raise InvariantError("a connection does not end")
        for _ in range(rng.randrange(4)):
            await asyncio.sleep(0)
    return peers


def _run_event(peer: FuzzPeer, rng: random.Random) -> None:
    protocol = peer.transport.protocol
    if peer.resets and rng.random() < 0.1:
        peer.ended = peer.transport.closing = True
        protocol.connection_lost(ConnectionResetError())
    elif peer.unsent:
        piece = peer.unsent.pop(0)
        if not piece:
            return
        peer.fed_bytes += len(piece)
        protocol.data_received(piece)
        # Reading is not paused between the end of a handshake and the next run of the task, so allow a few more pieces.
        bound = Bounds.command_buffer_bytes + len(piece) + (4 * Bounds.read_bytes if peer.handshake_offsets else 0)
        buffered = len(protocol._io.lines.buffer)
        if buffered > bound:
            raise InvariantError(f"the buffer grows: {buffered} bytes in {protocol.phase}")
        if rng.random() < 0.05:
            protocol.pause_writing()
        elif rng.random() < 0.5:
            protocol.resume_writing()
    else:
        peer.ended = True
        if not protocol.eof_received():
            peer.transport.close()


def _fake_start_tls(peers: list[FuzzPeer], rng: random.Random) -> Any:
    async def start_tls(
        transport: FuzzTransport, protocol: Connection, _context: object, *, server_side: bool
    ) -> FuzzTransport:
        peer = next(peer for peer in peers if peer.transport is transport)
        if not server_side or protocol is not transport.protocol:
            raise InvariantError("not the server's side of the handshake")
        peer.handshake_offsets.append(peer.fed_bytes)
        secured = FuzzTransport(peer.address, tls=True)
        secured.protocol = protocol
        secured.closing = transport.closing
        peer.transport = secured
        peer.written.append(secured.written)
        for _ in range(rng.randrange(5)):
            await asyncio.sleep(0)
        if protocol._io.is_lost:
            raise ConnectionResetError
        return secured

    return start_tls
