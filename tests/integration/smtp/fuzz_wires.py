"""Connections of `tests.system.smtp.fuzz`: a server's side over transports in memory, with events in a random order."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any

from smtp.bounds import Bounds
from smtp.connection import Connection
from smtp.transport import PauseReason
from tests.integration.smtp.fuzz_dialogues import dialogue, mutated, pieces
from tests.support.smtp_doubles import RunningServer

TURNS = 20_000  # turns of the loop in which a round comes to its end
# The second and the third share a /64; the last one is trusted.
ADDRESSES = ["192.0.2.1", "2001:db8::1", "2001:db8::2", "10.0.0.1"]


class FoundError(Exception):
    """An invariant does not hold."""


class Wire(asyncio.Transport):
    """The server's side of a connection: what it wrote, and whether it reads."""

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
            raise FoundError("written after the end")
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
class Peer:
    """One connection of a round."""

    address: str
    data: bytes
    left: list[bytes]
    resets: bool  # the connection is lost instead of ended
    fed: int = 0
    ended: bool = False
    tls_began: list[int] = field(default_factory=list)
    wire: Wire = field(init=False)
    written: list[bytearray] = field(default_factory=list)

    @property
    def sent(self) -> bytes:
        return b"".join(self.written)


async def play(server: RunningServer, chance: random.Random) -> list[Peer]:
    """One round, to the end of all its connections."""
    loop = asyncio.get_running_loop()
    listening = server.server
    proxied = listening._context.expects_proxy
    peers: list[Peer] = []
    for address in chance.sample(ADDRESSES, chance.randrange(1, 4)):
        data = mutated(chance, dialogue(chance))
        header = b""
        if proxied:
            family = "TCP6" if ":" in address else "TCP4"
            header = f"PROXY {family} {address} {address} 1 25\r\n".encode()
        peer = Peer(address, data, pieces(chance, header + data), chance.random() < 0.15)
        peer.fed = -len(header)
        peers.append(peer)
        protocol = Connection(listening._context, listening, listening._tls, loop)
        peer.wire = Wire("10.0.0.9" if proxied else address)
        peer.wire.protocol = protocol
        peer.written.append(peer.wire.written)
        protocol.connection_made(peer.wire)
    loop.start_tls = _handshakes(peers, chance)  # type: ignore[method-assign]

    idle = 0
    while listening.connection_count:
        open_peers = [peer for peer in peers if not peer.wire.protocol._io.is_lost]
        ready = [peer for peer in open_peers if not peer.wire.closing and not peer.ended and peer.wire.reading]
        if ready:
            idle = 0
            _one_event(chance.choice(ready), chance)
        else:
            idle += 1
            for peer in open_peers:
                peer.wire.protocol.resume_writing()
                if idle > TURNS / 2 and PauseReason.MEMORY in peer.wire.protocol._io.pauses:
                    peer.wire.protocol.check_deadlines(loop.time() + Bounds.memory_timeout, 1e9)
            if idle > TURNS:
                raise FoundError("a connection does not end")
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)
    return peers


def _one_event(peer: Peer, chance: random.Random) -> None:
    protocol = peer.wire.protocol
    if peer.resets and chance.random() < 0.1:
        peer.ended = peer.wire.closing = True
        protocol.connection_lost(ConnectionResetError())
    elif peer.left:
        piece = peer.left.pop(0)
        if not piece:
            return
        peer.fed += len(piece)
        protocol.data_received(piece)
        # What comes between the end of a handshake and the task's turn is bounded by that turn alone.
        bound = Bounds.command_buffer_bytes + len(piece) + (4 * Bounds.read_bytes if peer.tls_began else 0)
        buffered = len(protocol._io.lines.buffer)
        if buffered > bound:
            raise FoundError(f"the buffer grows: {buffered} bytes in {protocol.phase}")
        if chance.random() < 0.05:
            protocol.pause_writing()
        elif chance.random() < 0.5:
            protocol.resume_writing()
    else:
        peer.ended = True
        if not protocol.eof_received():
            peer.wire.close()


def _handshakes(peers: list[Peer], chance: random.Random) -> Any:
    async def start_tls(wire: Wire, protocol: Connection, _context: object, *, server_side: bool) -> Wire:
        peer = next(peer for peer in peers if peer.wire is wire)
        if not server_side or protocol is not wire.protocol:
            raise FoundError("not the server's side of the handshake")
        peer.tls_began.append(peer.fed)
        secured = Wire(peer.address, tls=True)
        secured.protocol = protocol
        secured.closing = wire.closing  # and it reads, as after a handshake on both loops
        peer.wire = secured
        peer.written.append(secured.written)
        for _ in range(chance.randrange(5)):
            await asyncio.sleep(0)
        if protocol._io.is_lost:
            raise ConnectionResetError
        return secured

    return start_tls
