"""SMTP, as a subclass of `aiosmtpd.smtp.SMTP`: the commands, in its vocabulary of `smtp_*` methods and handlers.

What we keep of aiosmtpd 1.4.6: a connection is a protocol with one task (`_handle_client`, kept in
`_handler_coroutine`) that reads a command, finds its `smtp_*` method in a table, lets a `handle_*` method decide, and
pushes the reply. What we replace (line numbers of `aiosmtpd/smtp.py` 1.4.6), and why:

- `__init__` (321-454): it inspects the class and the handler for every connection, a fifth of the time of a short
  session. The table is made once (`_COMMANDS`). Its `command_size_limits` is one dictionary for all sessions and grows.
- `connection_made`, `eof_received`, `connection_lost`, `_reset_timeout`, `_timeout_cb` (488-571): the task is cancelled
  when the client closes, in mid-commit too; a timer is made for every command; STARTTLS relies on the private
  `sslproto`. Here events set flags, one sweep of the server looks at all deadlines, and `loop.start_tls` is used.
- `push` (591-601): one write and a debug log for each line. Here replies to pipelined commands leave together.
- `handle_exception` (603-612) and the loop around it: it tells the peer the exception's name and text.
- `_handle_client` (614-793): the StreamReader stops at 1,001 octets; a line may end with a bare LF.
- `smtp_*` (826-1544): addresses are read by the email package's parser; there are no enhanced status codes, no
  PIPELINING, no CHUNKING; `'<>'` and `''` both mean the null reverse-path; DATA goes line by line, takes no line over
  1,001 octets and grows without bound without CRLF. AUTH and HELP do not exist here: this is an MX, not a submission.

`tests/smtp/test_aiosmtpd.py` fails when a new aiosmtpd changes one of these or what they rest on. Who makes one for
each connection: `smtp.server`. Who decides: `smtp.session`, `smtp.policy`. The octets and deadlines: `smtp.stream`.
"""

# ruff: noqa: N802 - the names of commands' methods are aiosmtpd's

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from router.network import address_key, parse_address
from smtp import commands, policy, proxy, replies
from smtp.commands import CommandError
from smtp.data import ChunkReader, Content, DataReader
from smtp.proxy import ProxyError
from smtp.replies import Reply
from smtp.session import Door, Session
from smtp.stream import Stream
from smtp.tls import TlsFiles

_log = structlog.get_logger()

# Commands between two mails that cost something and bring nothing; past this many each counts as an error.
_IDLE_COMMANDS = 100


class Registry(Protocol):
    """What a connection tells the server."""

    def opened(self, connection: SMTP) -> None:
        """The connection is there."""

    def closed(self, connection: SMTP) -> None:
        """The connection is gone and its task ends: nothing of it holds memory or a place any more."""


class SMTP(Stream):
    """One connection. See the module for what it is; it is made by `smtp.server` alone."""

    def __init__(self, door: Door, registry: Registry, tls: TlsFiles | None, loop: asyncio.AbstractEventLoop) -> None:
        settings = door.settings
        super().__init__(
            loop,
            door.in_flight,
            data_timeout=settings.data_timeout.total_seconds(),
            data_rate=settings.min_data_rate,
            max_errors=settings.errors_per_session,
        )
        self._door = door
        self._registry = registry
        self._tls = tls
        self._admitted = False
        self._done = False  # the task is
        self._counted_out = False
        self._content: Content | None = None  # of a mail that comes by BDAT
        self._chunk_refused = False
        self._idle_commands = 0
        self._guesses = 0  # recipients that were tried out
        self._lookup: asyncio.Task[str] | None = None
        self.draining = False  # the session ends with its transaction
        self.cut_off = False  # it ends with its command
        self.handler = Session(door, "")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection in and begin to talk."""
        peer = transport.get_extra_info("peername")
        # A Unix socket has no address: then it is nobody's, and trusted as little as anybody's.
        self.handler.peer = _peer_text(peer[0]) if isinstance(peer, tuple) else ""
        self._registry.opened(self)
        super().connection_made(transport)

    @property
    def in_transaction(self) -> bool:
        """Whether a mail is under way, from MAIL to the reply to its end."""
        return self.handler.transaction is not None

    async def _handle_client(self) -> None:
        try:
            if self._expects_proxy() and not await self._read_proxy():
                return
            refused = self._admit()
            if refused is None:
                self._ask_block_lists()
                self.say(replies.greeting(self._door.hostname))
                await self._converse()
            else:
                self._door.meter.refused(replies.name(refused))
                _log.info("smtp.refused", peer=self.handler.peer, reason=refused.text)
                self.say(refused)
        except Exception:  # noqa: BLE001 - a mistake of ours: the sender shall try again, other sessions go on
            _log.exception("smtp.fault", peer=self.handler.peer)
            self.end(replies.FAULT)
        finally:
            self.end()
            self.let_go()
            if self._admitted:
                self._door.limits.leave(self.handler.peer)
            if self._lookup is not None:
                self._lookup.cancel()
            self._done = True
            self._settle()

    def connection_lost(self, error: Exception | None) -> None:
        """See `Stream`; the place is free when the task is done too."""
        super().connection_lost(error)
        self._settle()

    def _settle(self) -> None:
        # Once: after a failed handshake the event loop may say that the connection is lost when we know it already.
        if self._done and self.lost and not self._counted_out:
            self._counted_out = True
            self._registry.closed(self)

    def _expects_proxy(self) -> bool:
        return self._door.settings.proxy_protocol and self.handler.peer in self._door.limits.trusted

    async def _read_proxy(self) -> bool:
        """Take the client's address from a balancer of ours; False ends the connection without a word."""
        try:
            header = await self.read_head(proxy.parse)
        except ProxyError as error:
            _log.warning("smtp.proxy_refused", peer=self.handler.peer, reason=str(error))
            return False
        if header is not None and header.source is not None:
            self.handler.peer = _peer_text(header.source)
        return header is not None

    def _ask_block_lists(self) -> None:
        """Ask while the session goes on; the answer is needed at RCPT."""
        lists, peer = self._door.block_lists, self.handler.peer
        if lists is not None and peer not in self._door.limits.trusted:
            self._lookup = self.handler.listing = self.loop.create_task(lists.listing(peer))

    def _admit(self) -> Reply | None:
        """Whether this peer may have one more connection."""
        limits, peer = self._door.limits, self.handler.peer
        if limits.over:
            return replies.TOO_MANY_CONNECTIONS
        self._admitted = limits.admit(peer)
        self.share = None if peer in limits.trusted else address_key(peer)
        _log.debug("smtp.connect", peer=peer)
        return None if self._admitted else replies.TOO_MANY_FROM_ADDRESS

    async def _converse(self) -> None:
        """Commands one after another until the peer or the server has enough."""
        while True:
            try:
                line = await self.read_line()
                if line is None:
                    return
                verb, argument = commands.split(line)
                command = _COMMANDS.get(verb)
                if command is None:
                    raise CommandError(replies.UNKNOWN_COMMAND)
                await command(self, argument)
            except CommandError as error:
                self.say(error.reply)
                if error.fatal:
                    self.end()
            if self.draining and (self.cut_off or not self.in_transaction):
                self.say(replies.SHUTTING_DOWN)

    async def smtp_EHLO(self, argument: str | None) -> None:
        """RFC 5321 section 4.1.1.1."""
        name = commands.parse_hello(argument)
        self._reset()
        size = f"SIZE {self._door.settings.max_message_bytes}"
        starttls = ("STARTTLS",) if self._tls is not None and not self.handler.tls else ()
        extensions = ("PIPELINING", size, "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "CHUNKING", *starttls)
        self._say_idle(self.handler.handle_EHLO(name, extensions))

    async def smtp_HELO(self, argument: str | None) -> None:
        """RFC 5321 section 4.1.1.1."""
        name = commands.parse_hello(argument)
        self._reset()
        self._say_idle(self.handler.handle_HELO(name))

    async def smtp_MAIL(self, argument: str | None) -> None:
        """RFC 5321 section 4.1.1.2."""
        mail = commands.parse_mail(argument)
        reply = self.handler.handle_MAIL(mail)
        if reply is replies.SENDER_OK:
            self._idle_commands = 0
            self._chunk_refused = False
        elif not reply.is_error:
            self._idle_commands += 1
        self.say(reply)
        if self._idle_commands > _IDLE_COMMANDS:  # not 503: the next mail may be a good one, and shall come again
            self.end(replies.TOO_MANY_ERRORS)

    async def smtp_RCPT(self, argument: str | None) -> None:
        """RFC 5321 section 4.1.1.3."""
        if self._content is not None:
            raise CommandError(replies.CHUNKS_BEGUN)
        transaction = self.handler.transaction
        mailbox = commands.parse_rcpt(argument, smtputf8=transaction is not None and transaction.smtputf8)
        reply = await self.handler.handle_RCPT(mailbox)
        if policy.is_guess(reply) and self.handler.peer not in self._door.limits.trusted:
            self._guesses += 1
            delay = policy.tarpit_delay(self._guesses)
            if delay:
                await self.flush()
                await asyncio.sleep(delay)
        self.say(reply)

    async def smtp_DATA(self, argument: str | None) -> None:
        """RFC 5321 section 4.1.1.4."""
        commands.parse_nothing(argument)
        refused = self.handler.not_ready()
        if refused is None and (self._content is not None or self._chunk_refused):
            refused = replies.MIXED_DATA
        if refused is not None:
            self.say(refused)
            return
        self.say(replies.START_DATA)
        content = Content(self._door.settings.max_message_bytes)
        received = await self.receive(DataReader(content))
        if received != "gone":
            await self._deliver(content)
        if received == "endless":
            self.end()

    async def smtp_BDAT(self, argument: str | None) -> None:
        """RFC 3030 section 2: a chunk that is refused is read all the same, or it would be taken for commands."""
        chunk = commands.parse_bdat(argument)
        refused = self.handler.not_ready() or (replies.CHUNK_REFUSED if self._chunk_refused else None)
        content = self._content or Content(self._door.settings.max_message_bytes)
        if refused is not None:
            content.drop()
        received = await self.receive(ChunkReader(content, chunk.size), partly=refused is None and not chunk.last)
        if received == "gone":
            return
        if refused is not None:
            # A mail without this chunk is not the mail: no later chunk may complete it.
            self._chunk_refused = self.in_transaction
            self.say(refused)
        elif chunk.last or content.dropped:
            self._content = None
            await self._deliver(content)
        else:
            self._content = content
            reply = replies.chunk_received(chunk.size)
            if chunk.size:
                self.say(reply)
            else:
                self._say_idle(reply)
        if received == "endless":
            self.end()

    async def _deliver(self, content: Content) -> None:
        """The mail's octets are here, or were thrown away: the reply to its end."""
        session = self.handler
        if content.over:
            reply = session.refuse_content(replies.TOO_LARGE, content.size)
        elif content.dropped:
            reply = session.refuse_content(replies.NO_STORAGE, content.size)
        else:
            reply = await session.handle_DATA(content.octets())
        # First the reply: the mail may be committed, and what frees its memory resumes other connections.
        self.say(reply)
        content.drop()
        self.let_go()

    async def smtp_RSET(self, argument: str | None) -> None:
        """RFC 5321 section 4.1.1.5."""
        commands.parse_nothing(argument)
        self._reset()
        self._say_idle(self.handler.handle_RSET())

    async def smtp_NOOP(self, argument: str | None) -> None:  # noqa: ARG002 - NOOP may have an argument, which means nothing
        """RFC 5321 section 4.1.1.9."""
        self._say_idle(replies.OK)

    async def smtp_VRFY(self, argument: str | None) -> None:
        """RFC 5321 section 3.5.3: the answer is the same for everybody, so nothing can be harvested."""
        if not argument:
            raise CommandError(replies.BAD_ARGUMENT)
        self._say_idle(replies.CANNOT_VERIFY)

    async def smtp_QUIT(self, argument: str | None) -> None:
        """RFC 5321 section 4.1.1.10."""
        commands.parse_nothing(argument)
        self.say(replies.BYE)

    async def smtp_STARTTLS(self, argument: str | None) -> None:
        """RFC 3207 section 4. After the handshake the session is as new."""
        if self._tls is None:
            raise CommandError(replies.NOT_IMPLEMENTED)
        commands.parse_nothing(argument)
        if self.handler.tls:
            raise CommandError(replies.TLS_ACTIVE)
        if self.in_transaction:
            raise CommandError(replies.TLS_IN_TRANSACTION)
        self.say(replies.READY_FOR_TLS)
        try:
            tls = await self.start_tls(self._tls.context())
        except OSError as error:  # also what ssl raises: the peer's doing, not a fault of ours
            _log.info("smtp.tls_failed", peer=self.handler.peer, error=str(error))
            self.end()
            return
        self._reset()
        self.handler.handle_STARTTLS(tls)

    async def smtp_EXPN(self, argument: str | None) -> None:  # noqa: ARG002 - whatever the argument is
        """Also HELP and TURN: known, and not offered (RFC 5321 sections 3.5.2, 7.3, appendix F.1)."""
        self.say(replies.NOT_IMPLEMENTED)

    def _reset(self) -> None:
        """No transaction and no chunks."""
        self.handler.transaction = None
        self._content = None
        self._chunk_refused = False
        self.let_go()

    def _say_idle(self, reply: Reply) -> None:
        """Reply to a command that brings no mail nearer."""
        self._idle_commands += 1
        self.say(replies.TOO_MANY_IDLE if self._idle_commands > _IDLE_COMMANDS else reply)


def _peer_text(host: str) -> str:
    """The peer's address as it is counted, logged and written into the trace: an IPv4 one never mapped into IPv6."""
    return str(parse_address(host) or host)


_COMMANDS: dict[str, Callable[[SMTP, str | None], Awaitable[None]]] = {
    "EHLO": SMTP.smtp_EHLO,
    "HELO": SMTP.smtp_HELO,
    "MAIL": SMTP.smtp_MAIL,
    "RCPT": SMTP.smtp_RCPT,
    "DATA": SMTP.smtp_DATA,
    "BDAT": SMTP.smtp_BDAT,
    "RSET": SMTP.smtp_RSET,
    "NOOP": SMTP.smtp_NOOP,
    "VRFY": SMTP.smtp_VRFY,
    "QUIT": SMTP.smtp_QUIT,
    "STARTTLS": SMTP.smtp_STARTTLS,
    "EXPN": SMTP.smtp_EXPN,
    "HELP": SMTP.smtp_EXPN,
    "TURN": SMTP.smtp_EXPN,
}
