"""Random and mutated sessions against the server, for as long as one likes; `make fuzz-smtp SECONDS=900`.

A round is one to three connections of a real `smtp.server.Server` whose octets come in random pieces, interleaved, over
wires in memory: with the seed and its number a round happens again exactly (`--round N`). The seed and the number of
the next round are in a state file, so that every run goes on where the last one ended. What is held against the server
after each round:

- each reply is one of `smtp.replies`, word for word, so it has its enhanced code and says nothing of an exception;
- each command line got one reply, and each mail was kept exactly when it was answered `250`, with the octets that
  `tests.smtp.test_data.reference` finds in the stream;
- no octets stay counted in `InFlight`, no place in `Limits`, no connection in the server, nothing too long in a buffer;
- no task and no callback raised.

Not a test that pytest finds: what it found is a dialogue in `tests/dialogs` or a case beside the code.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import logging
import random
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import structlog
import trustme

from smtp import policy, replies, stream
from smtp.commands import announces_octets
from smtp.in_flight import IN_FLIGHT_PATIENCE, InFlight
from smtp.protocol import SMTP
from smtp.replies import Reply
from tests.smtp.conftest import write_certificate
from tests.smtp.doubles import HOSTNAME, Door, door
from tests.smtp.test_data import reference

LARGEST = 100_000  # octets of a mail
SETTINGS: dict[str, Any] = {
    "max_message_bytes": LARGEST,
    "max_bytes_in_flight": 150_000,
    "max_recipients": 5,
    "max_mails_per_minute_per_ip": 0,
    "trusted_networks": ["10.0.0.0/8"],
    "blocked_senders": ["@junk.example"],
}
DISCARD_LIMIT = 120_000  # instead of the 64 MiB that would take a second of each round
ROUNDS_OF_A_SERVER = 100
PATIENCE = 20_000  # turns of the loop in which a round comes to its end
# The second and the third share a /64; the last one is trusted.
PEERS = ["192.0.2.1", "2001:db8::1", "2001:db8::2", "10.0.0.1"]

_REPLY = re.compile(rb"(?:([2-5][0-9][0-9])-[ -~]*\r\n)*([2-5][0-9][0-9]) [ -~]*\r\n")
_FIXED = {reply.octets: reply for reply in vars(replies).values() if isinstance(reply, Reply)}
_QUEUED = re.compile(rb"250 2\.0\.0 Ok: queued as msg_[0-9]+\r\n")
_CHUNK = re.compile(rb"250 2\.0\.0 Ok: [0-9]+ octets received\r\n")
_HELLO = re.compile(
    rb"250 " + re.escape(HOSTNAME.encode()) + rb"\r\n"
    rb"|250-" + re.escape(HOSTNAME.encode()) + rb"\r\n250-PIPELINING\r\n250-SIZE 100000\r\n250-8BITMIME\r\n"
    rb"250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n(?:250 CHUNKING|250-CHUNKING\r\n250 STARTTLS)\r\n"
)
_BDAT = re.compile(rb"BDAT +([0-9]{1,20})( +LAST)? *", re.IGNORECASE)


class FoundError(Exception):
    """An invariant does not hold."""


# --- what a peer says

VERBS = [
    b"EHLO client.test", b"HELO client.test", b"NOOP", b"RSET", b"VRFY x", b"EXPN x", b"HELP", b"TURN", b"STARTTLS",
    b"QUIT", b"DATA", b"BDAT 3", b"BDAT 0 LAST", b"BDAT x", b"BDAT\t3", b"BDAT 3 LAST\0", b"BDAT 99999999999999999999",
    b"BDAT 400000 LAST", b"AUTH PLAIN", b"", b" ", b"\xff\xfe", b"MAIL", b"RCPT", b"EHLO", b"DATA x",
]  # fmt: skip
SENDERS = [
    b"<a@client.test>", b"<>", b"<a@client.test> SIZE=10", b"<a@client.test> SIZE=999999", b"<a@junk.example>",
    b"<a@client.test> BODY=8BITMIME SMTPUTF8", b"a@client.test", b"<a@client.test> X=1", b" <@relay.test:a@b.test>",
    "<ä@client.test>".encode(), b"<\"a b\"@client.test>", b"<" + b"a" * 500 + b"@client.test>",
]  # fmt: skip
RECIPIENTS = [
    b"<support@example.com>", b"<sales@example.com>", b"<user1@example.com>", b"<nobody@example.com>", b"<postmaster>",
    b"<x@elsewhere.example>", b"<x@pending.example>", b"<disabled@example.com>", "<büro@example.com>".encode(),
    b"<support@example.com> NOTIFY=NEVER", b"<>", b"<support+tag@example.com>",
]  # fmt: skip
PIECES = [
    b"\r\n", b"\r", b"\n", b"\0", b".", b"..", b"\r\n.\r\n", b"\r\n.", b"\n.\n", b".\r\n", b"\r\n..", b"\r\n.\n",
    b"\r.\r", b"x", b"Subject: x\r\n", b"MAIL FROM:<forged@client.test>\r\n", b"DATA\r\n", b"BDAT 5 LAST\r\n", b"\xff",
    b"y" * 1200, b"Received: x\r\n" * 51,
]  # fmt: skip


def content(chance: random.Random) -> bytes:
    """A mail's octets, dangerous ones mostly; some are large."""
    octets = b"".join(chance.choices(PIECES, k=chance.randrange(12)))
    if chance.random() < 0.15:
        octets += b"z" * chance.choice([65_000, 70_000, 99_000, 100_000, 101_000, 260_000])
    return octets


def dialogue(chance: random.Random) -> bytes:
    """What a client says in one connection, before it is mutated."""
    said = [b"EHLO client.test\r\n"] if chance.random() < 0.9 else []
    for _ in range(chance.randrange(1, 12)):
        kind = chance.random()
        if kind < 0.45:
            said.append(b"MAIL FROM:" + (SENDERS[0] if chance.random() < 0.7 else chance.choice(SENDERS)) + b"\r\n")
            for _ in range(chance.randrange(1, 4)):
                to = RECIPIENTS[0] if chance.random() < 0.6 else chance.choice(RECIPIENTS)
                said.append(b"RCPT TO:" + to + b"\r\n")
            if chance.random() < 0.6:
                said += [b"DATA\r\n", content(chance), b"\r\n.\r\n"]
            else:
                for last in [b""] * chance.randrange(3) + [b" LAST"]:
                    octets = content(chance)
                    said += [b"BDAT %d%b\r\n" % (len(octets), last), octets]
        elif kind < 0.85:
            said.append(chance.choice(VERBS) + b"\r\n")
        elif kind < 0.95:
            said.append(content(chance))
        else:
            said.append(chance.choice([b"NOOP\r\n" * 110, b"A" * 5000 + b"\r\n", b"NOOP\n", b"MAIL " + b"x" * 560]))
    return b"".join(said)


def mutated(chance: random.Random, octets: bytes) -> bytes:
    """The octets with a few places cut out, doubled, or something put in."""
    changed = bytearray(octets)
    for _ in range(chance.choice([0, 0, 1, 2, 5])):
        at = chance.randrange(len(changed) + 1)
        length = chance.choice([1, 1, 2, 8, 64])
        match chance.randrange(4):
            case 0:
                del changed[at : at + length]
            case 1:
                changed[at:at] = changed[at : at + length]
            case 2:
                changed[at:at] = chance.choice(PIECES)
            case 3:
                changed[at : at + 1] = chance.randbytes(1)
    return bytes(changed)


def pieces(chance: random.Random, octets: bytes) -> list[bytes]:
    """The octets as packets."""
    if chance.random() < 0.1 and len(octets) < 3000:
        return [octets[at : at + 1] for at in range(len(octets))]
    cuts = sorted(chance.randrange(len(octets) + 1) for _ in range(chance.choice([0, 1, 3, 10, 30])))
    bounds = [0, *cuts, len(octets)]
    # The loop never brings more than 256 KiB at once.
    whole = [octets[start:end] for start, end in itertools.pairwise(bounds)]
    return [piece[at : at + InFlight.PIECE] for piece in whole for at in range(0, len(piece), InFlight.PIECE)]


# --- over wires in memory


class Wire(asyncio.Transport):
    """The server's side of a connection: what it wrote, and whether it reads. offsets: where TLS began."""

    def __init__(self, peer: str, *, tls: bool = False) -> None:
        self._tls = tls
        super().__init__({"peername": (peer, 4025)})
        self.protocol: SMTP
        self.written = bytearray()
        self.reading = True
        self.closing = False

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
    octets: bytes
    left: list[bytes]
    resets: bool  # breaks the connection off instead of ending it
    fed: int = 0
    ended: bool = False
    tls_began: list[int] = field(default_factory=list)
    wire: Wire = field(init=False)
    written: list[bytearray] = field(default_factory=list)

    @property
    def said(self) -> bytes:
        return b"".join(self.written)


async def play(server: Door, chance: random.Random) -> list[Peer]:
    """One round, to the end of all its connections."""
    loop = asyncio.get_running_loop()
    listening = server.server
    proxied = listening._settings.proxy_protocol
    peers: list[Peer] = []
    for address in chance.sample(PEERS, chance.randrange(1, 4)):
        octets = mutated(chance, dialogue(chance))
        header = b""
        if proxied:
            family = "TCP6" if ":" in address else "TCP4"
            header = f"PROXY {family} {address} {address} 1 25\r\n".encode()
        peer = Peer(address, octets, pieces(chance, header + octets), chance.random() < 0.15)
        peer.fed = -len(header)
        peers.append(peer)
        protocol = SMTP(listening._door, listening, listening._tls, loop)
        peer.wire = Wire("10.0.0.9" if proxied else address)
        peer.wire.protocol = protocol
        peer.written.append(peer.wire.written)
        protocol.connection_made(peer.wire)
    loop.start_tls = _handshakes(peers, chance)  # type: ignore[method-assign]

    idle = 0
    while listening.connections:
        open_peers = [peer for peer in peers if not peer.wire.protocol.lost]
        ready = [peer for peer in open_peers if not peer.wire.closing and not peer.ended and peer.wire.reading]
        if ready:
            idle = 0
            _one_event(chance.choice(ready), chance)
        else:
            idle += 1
            for peer in open_peers:
                peer.wire.protocol.resume_writing()
                if idle > PATIENCE / 2 and peer.wire.protocol._held_since is not None:
                    peer.wire.protocol.check(loop.time() + IN_FLIGHT_PATIENCE, 1e9)
            if idle > PATIENCE:
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
        bound = stream._BUFFER_LIMIT + len(piece) + (4 * InFlight.PIECE if peer.tls_began else 0)
        if len(protocol._lines.octets) > bound:
            raise FoundError(f"the buffer grows: {len(protocol._lines.octets)} octets in {protocol.phase}")
        if chance.random() < 0.05:
            protocol.pause_writing()
        elif chance.random() < 0.5:
            protocol.resume_writing()
    else:
        peer.ended = True
        if not protocol.eof_received():
            peer.wire.close()


def _handshakes(peers: list[Peer], chance: random.Random) -> Any:
    async def start_tls(wire: Wire, protocol: SMTP, _context: object, *, server_side: bool) -> Wire:
        peer = next(peer for peer in peers if peer.wire is wire)
        if not server_side or protocol is not wire.protocol:
            raise FoundError("not our side of the handshake")
        peer.tls_began.append(peer.fed)
        secured = Wire(peer.address, tls=True)
        secured.protocol = protocol
        secured.closing = wire.closing  # and it reads, as after a handshake on both loops
        peer.wire = secured
        peer.written.append(secured.written)
        for _ in range(chance.randrange(5)):
            await asyncio.sleep(0)
        if protocol.lost:
            raise ConnectionResetError
        return secured

    return start_tls


# --- what is held against the server


def judge(peer: Peer, kept: list[bytes], *, fails: bool) -> None:  # noqa: PLR0912 - a conversation, start to end
    """Follow the conversation by its replies. kept: this peer's mails. fails: the acceptor raises in this round."""
    said = list(_split_replies(peer.said))
    cut_off = peer.resets or bool(peer.tls_began)  # replies may be missing, the last of them alone
    expected: list[bytes] = []
    perhaps: bytes | None = None
    octets, at = peer.octets, 0
    handshakes = iter(peer.tls_began)
    chunks = b""
    over = may_be_over = False
    if not said:
        if not cut_off:
            raise FoundError("no greeting")
        return
    if said[0] != f"220 {HOSTNAME} ESMTP Email Router\r\n".encode():
        raise FoundError(f"another greeting: {said[0]!r}")
    replied = iter(said[1:])
    while not over:
        end = octets.find(b"\r\n", at)
        if end < 0:
            for reply in replied:  # a line that did not end may have been refused already
                if reply not in (replies.BARE_LF.octets, replies.TOO_MANY_ERRORS.octets, replies.LINE_TOO_LONG.octets):
                    raise FoundError(f"a reply to nothing: {reply!r}")
            break
        line, at = octets[at:end], end + 2
        verb = line[:4].upper()
        first = next(replied, None)
        if first is None:
            if may_be_over:
                break
            if verb in (b"DATA", b"BDAT") or cut_off:
                found = _BDAT.fullmatch(line)
                whole = found is not None and len(octets) - at >= int(found[1])
                if found is not None and whole and found[2]:
                    perhaps = chunks + octets[at : at + int(found[1])]
                if cut_off or (found is not None and not whole):
                    break
            raise FoundError(f"no reply to {line!r}")
        over = first.startswith((b"421", b"221")) or not _may_go_on(line)
        if first == replies.START_DATA.octets:
            decoded = reference(octets[at:])
            answer = next(replied, None)
            if decoded is None:
                if answer is not None and not answer.startswith(b"552"):
                    raise FoundError(f"{answer!r} to a mail without its end")
                break
            mail, rest = decoded
            at = len(octets) - len(rest)
            if answer is None:
                perhaps = mail
                if not cut_off:
                    raise FoundError("no reply to a mail")
                break
            over = _content_answer(answer, mail, expected, fails=fails)
            may_be_over = may_be_over or len(mail) > LARGEST + DISCARD_LIMIT
        elif (found := _BDAT.fullmatch(line)) and len(line) <= 510:
            size = int(found[1])
            if at + size > len(octets) and not first.startswith((b"552", b"503", b"452", b"421")):
                raise FoundError(f"{first!r} to a chunk that is not whole")
            chunk, at = octets[at : at + size], min(at + size, len(octets))
            if first.startswith(b"250") and not found[2]:
                chunks += chunk
                if not _CHUNK.fullmatch(first):
                    raise FoundError(f"{first!r} to a chunk")
            elif not first.startswith(b"503"):
                over = _content_answer(first, chunks + chunk, expected, fails=fails) or over
                chunks = b""
            may_be_over = may_be_over or size > DISCARD_LIMIT
        elif first == replies.READY_FOR_TLS.octets:
            chunks = b""
            began = next(handshakes, None)
            if began is None:
                break
            at = began
        elif first.startswith(b"250") and verb in (b"RSET", b"EHLO", b"HELO"):
            chunks = b""
        if first == replies.RECIPIENT_OK.octets and verb != b"RCPT":
            raise FoundError(f"{first!r} to {line!r}")
    rest_of_replies = list(replied)
    if rest_of_replies not in ([], [replies.TOO_MANY_ERRORS.octets]):
        raise FoundError(f"more replies: {rest_of_replies!r}")
    if cut_off and kept[: len(expected)] == expected and all(len(mail) <= LARGEST for mail in kept):
        return  # replies to a pipelined group leave together, so the peer may have missed those to several mails
    if kept not in (expected, [*expected, perhaps]):
        raise FoundError(f"kept {kept!r}, expected {expected!r} and perhaps {perhaps!r}")


def _may_go_on(line: bytes) -> bool:
    """A refused line that could be a BDAT ends the session: its chunk must not be taken for commands."""
    return not announces_octets(line) or (bool(_BDAT.fullmatch(line)) and len(line) <= 510)


def _content_answer(answer: bytes, mail: bytes, expected: list[bytes], *, fails: bool) -> bool:
    """Whether the session is over after this reply to a mail; what was accepted goes into `expected`."""
    if answer.startswith(b"421"):
        return True
    allowed = {replies.NO_STORAGE.octets}
    if len(mail) > LARGEST:
        allowed.add(replies.TOO_LARGE.octets)
    elif fails:
        allowed.add(replies.FAULT.octets)
    elif _QUEUED.fullmatch(answer):
        expected.append(mail)
        return False
    if mail.lower().count(b"received:") > 50:
        allowed.add(replies.LOOP.octets)
    if answer not in allowed:
        raise FoundError(f"{answer!r} to a mail of {len(mail)} octets")
    return False


def _split_replies(said: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(said):
        found = _REPLY.match(said, at)
        if found is None:
            raise FoundError(f"no reply: {said[at : at + 200]!r}")
        reply = found.group()
        known = reply in _FIXED or _QUEUED.fullmatch(reply) or _CHUNK.fullmatch(reply) or _HELLO.fullmatch(reply)
        if not known and at:
            raise FoundError(f"an unknown reply: {reply!r}")
        yield reply
        at = found.end()


def nothing_is_left(server: Door) -> None:
    """The counters of a server without connections."""
    limits, room = server.server._limits, server.server._door.in_flight
    mails = (room.total, room._held, dict(room._large), dict(room._by_share), room._ending)
    left = (limits.total, dict(limits._connections), mails)
    if left != (0, {}, (0, 0, {}, {}, set())):
        raise FoundError(f"left over: {left!r}")


# --- rounds without end


async def one_round(server: Door, seed: int, number: int, raised: list[str]) -> int:
    """Play and judge a round; how many connections it had."""
    chance = random.Random(f"{seed}:{number}")
    server.mails.mails.clear()
    server.mails.failure = RuntimeError("a secret of ours") if chance.random() < 0.05 else None
    try:
        peers = await play(server, chance)
        nothing_is_left(server)
        for peer in peers:
            kept = [octets for envelope, octets in server.mails.mails if envelope.peer == peer.address]
            try:
                judge(peer, kept, fails=server.mails.failure is not None)
            except FoundError as error:
                raise FoundError(f"{error}\nC: {_short(peer.octets)}\nS: {_short(peer.said)}") from error
        if raised:
            raise FoundError(raised[0])
    except FoundError as error:
        raise FoundError(f"seed {seed}, round {number}: {error}") from error
    return len(peers)


def _short(octets: bytes) -> str:
    """For reading: long runs of one octet as a count."""
    return re.sub(r"((.)\2{40})\2*", lambda run: f"{run[2]}*{len(run[0])}", repr(octets))


def settings_of(server_number: int, files: tuple[Path, Path]) -> dict[str, Any]:
    """Servers take turns: plain, with TLS, behind PROXY, with both."""
    settings = dict(SETTINGS)
    if server_number & 1:
        settings["tls_cert"], settings["tls_key"] = files
    settings["proxy_protocol"] = bool(server_number & 2)
    return settings


async def run(seed: int, first: int, *, seconds: float, rounds: int | None = None) -> tuple[int, int]:
    """Rounds from `first` on; the number of the next one, and how many connections were made. Raises `FoundError`."""
    raised: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: raised.append(str(context)))
    number, sessions, until = first, 0, time.monotonic() + seconds
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        files = write_certificate(trustme.CA(), Path(folder))
        stack.enter_context(mock.patch.object(policy, "_DELAY_STEP", 0.0))
        stack.enter_context(mock.patch.object(stream, "_DISCARD_LIMIT", DISCARD_LIMIT))
        stack.enter_context(mock.patch.object(InFlight, "REST", 0.0))
        while time.monotonic() < until and (rounds is None or number < first + rounds):
            server_number = number // ROUNDS_OF_A_SERVER
            async with door(**settings_of(server_number, files)) as server:
                while number // ROUNDS_OF_A_SERVER == server_number and time.monotonic() < until:
                    sessions += await one_round(server, seed, number, raised)
                    number += 1
                    if rounds is not None and number == first + rounds:
                        break
    return number, sessions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1, help="for a new state file")
    parser.add_argument("--state", type=Path, default=Path("build/fuzz-smtp.json"))
    parser.add_argument("--round", type=int, help="play this one alone, and leave the state file as it is")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    state = {"seed": options.seed, "next": 0, "sessions": 0}
    if options.state.exists():
        state |= json.loads(options.state.read_text())
    if options.round is not None:
        asyncio.run(run(state["seed"], options.round, seconds=options.seconds, rounds=1))
        return
    until = time.monotonic() + options.seconds
    options.state.parent.mkdir(parents=True, exist_ok=True)
    while (left := until - time.monotonic()) > 0:
        state["next"], sessions = asyncio.run(run(state["seed"], state["next"], seconds=min(left, 30)))
        state["sessions"] += sessions
        options.state.write_text(json.dumps(state))
    print(f"{state['next']} rounds, {state['sessions']} sessions, seed {state['seed']}: nothing found")  # noqa: T201


if __name__ == "__main__":
    main()
