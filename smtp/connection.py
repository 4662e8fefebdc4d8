"""One SMTP connection: reads a command, runs its `smtp_*` method, sends the reply.

`Connection` is an `aiosmtpd.smtp.SMTP` with one task for its commands.
docs/decisions/0022-smtp-receive-path.md lists the behaviour of aiosmtpd that is replaced.
"""

# ruff: noqa: N802, N815 - the command methods have names like those of aiosmtpd

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal, Protocol, cast

import structlog
from aiosmtpd import smtp as upstream

from router.network import address_key
from smtp import commands, replies
from smtp.admission import admit, canonical_address, resolve_client_address
from smtp.commands import CommandError
from smtp.context import ServerContext
from smtp.data import ChunkReader, DataReader
from smtp.deadline import CLOSING, COMMAND, CONTENT, PROXY_HEADER, Deadline, Phase
from smtp.reception import Reception
from smtp.replies import Reply
from smtp.session import Session
from smtp.tls import TlsFiles
from smtp.transport import Transport

_log = structlog.get_logger()


class Registry(Protocol):
    """The open connections of a server."""

    def register(self, connection: Connection) -> None: ...

    def unregister(self, connection: Connection) -> None:
        """Removes a connection that has ended. May be called twice."""


class Connection(upstream.SMTP):
    """The server side of one SMTP connection.

    Attributes:
        handler: The session, which has the `handle_*` methods.
        stop_point: The point at which the session ends because of a shutdown or its maximum duration, or None.
    """

    def __init__(
        self, context: ServerContext, registry: Registry, tls: TlsFiles | None, loop: asyncio.AbstractEventLoop
    ) -> None:
        # `Transport` reads, so there is no StreamReader; asyncio accepts None.
        asyncio.StreamReaderProtocol.__init__(self, cast("asyncio.StreamReader", None), loop=loop)
        self.loop = loop
        self.handler = Session(context, "")
        self.stop_point: Literal["after transaction", "after command"] | None = None
        self._stop_reply = replies.SHUTTING_DOWN
        self._context = context
        self._registry = registry
        self._tls_files = tls
        self._deadline = Deadline(context.bounds)
        self._io = Transport(loop, self._deadline, context.throttle, context.bounds)
        self._reception: Reception | None = None
        self._opened_at = loop.time()
        self._errors = 0
        self._task_done = False

    # Events of the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peername")
        # The peer of a Unix socket has no address and is not trusted.
        self.handler.peer = canonical_address(peer[0]) if isinstance(peer, tuple) else ""
        self._io.connection_made(transport)
        self._registry.register(self)
        self._handler_coroutine = self.loop.create_task(self._handle_client())

    def data_received(self, data: bytes) -> None:
        self._io.data_received(data)

    def eof_received(self) -> bool:
        return self._io.eof_received()

    def pause_writing(self) -> None:
        self._io.pause_writing()

    def resume_writing(self) -> None:
        self._io.resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        self._io.connection_lost()
        self._unregister_if_done()
        asyncio.StreamReaderProtocol.connection_lost(self, error)

    # Methods for the server.

    @property
    def phase(self) -> Phase:
        return self._deadline.phase

    @property
    def in_transaction(self) -> bool:
        return self.handler.transaction is not None

    def stop_after_mail(self, reply: Reply) -> None:
        """Ends the session after its command or transaction, but at once between them or in a rejected chunk."""
        if self.stop_point is None:
            self.stop_point, self._stop_reply = "after transaction", reply
        waits = self.phase is COMMAND and not self.in_transaction
        if waits or (self.phase is CONTENT and self.handler.chunk_refusal() is not None):
            self.close(self._stop_reply)

    def close(self, reply: Reply | None = None) -> None:
        """Closes the connection as `Transport.close` does, with `reply` last. A command in progress still completes."""
        self._io.close(b"" if reply is None else reply.encoded)

    def check_deadlines(self, now: float, command_timeout: float) -> None:
        if self.stop_point is not None or now - self._opened_at >= self._context.bounds.max_session:
            self.stop_after_mail(replies.SESSION_TIMEOUT)
        received_bytes = 0
        if self._reception is not None:
            self._reception.check_memory_timeout(now)
            received_bytes = self._reception.received_bytes
        reply = self._deadline.expiry_reply(now, command_timeout, received_bytes)
        if reply is not None:
            if self._deadline.phase is CLOSING:
                self._io.abort()
            else:  # a proxy that sent no header does not expect a reply
                self.close(None if self._deadline.phase is PROXY_HEADER else reply)

    # The session.

    async def _handle_client(self) -> None:
        context = self._context
        try:
            peer = await resolve_client_address(self._io, context, self.handler.peer)
            if peer is None:
                return
            self.handler.peer = peer
            if (refusal := admit(context, peer)) is not None:
                self.send(refusal)
                return
            try:
                await self._serve()
            finally:
                context.limits.release(peer)
        except Exception:  # noqa: BLE001 - a failure of the server: the client should retry
            _log.exception("smtp.temporary_failure", peer=self.handler.peer)
            self.close(replies.FAULT)
        finally:
            self.close()
            self._release()
            self.handler.close()
            self._task_done = True
            self._unregister_if_done()

    def _unregister_if_done(self) -> None:
        if self._task_done and self._io.is_lost:
            self._registry.unregister(self)

    async def _serve(self) -> None:
        context, peer = self._context, self.handler.peer
        if context.block_lists is not None and peer not in context.limits.trusted:
            self.handler.block_list_query = self.loop.create_task(context.block_lists.find_listing(peer))
        self.send(replies.greeting(context.hostname))
        while True:
            try:
                line = await self._io.read_line()
                if line is None:
                    return
                verb, argument = commands.split_line(line)
                command = _COMMANDS.get(verb)
                if command is None:
                    raise commands.line_error(line, replies.UNKNOWN_COMMAND)
                await command(self, argument)
            except CommandError as error:
                if error.reply.closes_connection:
                    context.network_refusals.add_connection(context.meter, error.reply, peer, address_key(peer))
                self.send(error.reply)
                if error.is_fatal:
                    self.close()
            if self.stop_point == "after command" or (self.stop_point is not None and not self.in_transaction):
                self.send(self._stop_reply)

    def send(self, reply: Reply) -> None:
        """Queues a reply, and closes the connection after 221, 421 or too many errors."""
        self._io.write(reply.encoded)
        if reply.is_error:
            self._errors += 1
            if self._errors == self._context.bounds.max_errors:
                self.close(replies.TOO_MANY_ERRORS)
        elif reply.closes_connection:
            self.close()

    # Commands.

    async def smtp_EHLO(self, argument: str | None) -> None:
        """Handles EHLO (RFC 5321 section 4.1.1.1)."""
        name = commands.parse_hello(argument)
        self._reset()
        self.send(self.handler.handle_EHLO(name, starttls=self._tls_files is not None and not self.handler.tls))

    async def smtp_HELO(self, argument: str | None) -> None:
        """Handles HELO (RFC 5321 section 4.1.1.1)."""
        name = commands.parse_hello(argument)
        self._reset()
        self.send(self.handler.handle_HELO(name))

    async def smtp_MAIL(self, argument: str | None) -> None:
        """Handles MAIL (RFC 5321 section 4.1.1.2)."""
        self.send(self.handler.handle_MAIL(commands.parse_mail(argument)))

    async def smtp_RCPT(self, argument: str | None) -> None:
        """Handles RCPT (RFC 5321 section 4.1.1.3). Delays the replies to guessed addresses."""
        if self._reception is not None:
            raise CommandError(replies.CHUNKS_BEGUN)
        transaction = self.handler.transaction
        mailbox = commands.parse_rcpt(argument, smtputf8=transaction is not None and transaction.smtputf8)
        reply = await self.handler.handle_RCPT(mailbox)
        delay = self.handler.next_guess_delay(reply)
        if delay:
            await self._io.flush()
            await asyncio.sleep(delay)
        self.send(reply)

    async def smtp_DATA(self, argument: str | None) -> None:
        """Handles DATA (RFC 5321 section 4.1.1.4)."""
        commands.parse_no_argument(argument)
        refusal = self.handler.content_refusal()
        if refusal is None and (self._reception is not None or self.handler.has_refused_chunk):
            refusal = replies.MIXED_DATA
        if refusal is not None:
            self.send(refusal)
            return
        self.send(replies.START_DATA)
        reception = self._reception = self._new_reception()
        if await reception.read(DataReader(reception.content), last=True):
            await self._finish_mail(reception)

    async def smtp_BDAT(self, argument: str | None) -> None:
        """Handles BDAT (RFC 3030 section 2). Reads rejected chunks too, so that none is parsed as commands."""
        chunk = commands.parse_bdat(argument)
        refusal = self.handler.chunk_refusal()
        reception = self._reception = self._reception or self._new_reception()
        if refusal is not None:
            reception.content.discard()
        reader = ChunkReader(reception.content, chunk.size)
        if not await reception.read(reader, last=refusal is not None or chunk.last):
            return
        if refusal is not None:
            self.handler.mark_chunk_refused()
            self._release()
            self.send(refusal)
            if reception.is_endless:
                self.close()
        elif chunk.last or reception.content.is_discarded:
            await self._finish_mail(reception)
        else:
            self.send(self.handler.handle_BDAT(chunk.size))

    def _new_reception(self) -> Reception:
        context = self._context
        self._deadline.start_mail()
        quota_key = context.limits.quota_key(self.handler.peer)
        return Reception(context.memory, quota_key, self._io, context.bounds)

    async def _finish_mail(self, reception: Reception) -> None:
        self._reception = None
        self._deadline.command_time = 0.0
        with reception:
            reply = await self.handler.handle_DATA(reception.content)
            # Releasing the memory may fail, so the reply to a committed message is queued first.
            self.send(reply)
        if reception.is_endless:
            self.close()

    async def smtp_RSET(self, argument: str | None) -> None:
        """Handles RSET (RFC 5321 section 4.1.1.5)."""
        commands.parse_no_argument(argument)
        self._reset()
        self.send(self.handler.handle_RSET())

    async def smtp_NOOP(self, argument: str | None) -> None:  # noqa: ARG002 - NOOP ignores its argument
        """Handles NOOP (RFC 5321 section 4.1.1.9)."""
        self.send(self.handler.handle_NOOP())

    async def smtp_VRFY(self, argument: str | None) -> None:
        """Handles VRFY (RFC 5321 section 4.1.1.6)."""
        if not argument:
            raise CommandError(replies.BAD_ARGUMENT)
        self.send(self.handler.handle_VRFY())

    async def smtp_QUIT(self, argument: str | None) -> None:
        """Handles QUIT (RFC 5321 section 4.1.1.10)."""
        commands.parse_no_argument(argument)
        self.send(replies.BYE)

    async def smtp_STARTTLS(self, argument: str | None) -> None:
        """Handles STARTTLS (RFC 3207 section 4). A successful handshake resets the session."""
        if self._tls_files is None:
            raise CommandError(replies.NOT_IMPLEMENTED)
        commands.parse_no_argument(argument)
        if self.handler.tls:
            raise CommandError(replies.TLS_ACTIVE)
        if self.in_transaction:
            raise CommandError(replies.TLS_IN_TRANSACTION)
        self.send(replies.READY_FOR_TLS)
        try:
            tls = await self._io.start_tls(self._tls_files.current_context())
        except OSError as error:  # includes ssl.SSLError and TimeoutError
            self._context.network_refusals.add_handshake(self.handler.peer, str(error) or type(error).__name__)
            return
        self._reset()
        self.handler.handle_STARTTLS(tls)

    async def smtp_EXPN(self, argument: str | None) -> None:  # noqa: ARG002 - EXPN is never offered
        """Rejects EXPN, HELP and TURN, which are not offered."""
        self.send(replies.NOT_IMPLEMENTED)

    smtp_HELP = smtp_TURN = smtp_EXPN

    def _reset(self) -> None:
        self.handler.end_transaction()
        self._release()

    def _release(self) -> None:
        reception, self._reception = self._reception, None
        if reception is not None:
            reception.release()


# Built once, because aiosmtpd would inspect the class for every connection.
_COMMANDS: dict[str, Callable[[Connection, str | None], Awaitable[None]]] = {
    name.removeprefix("smtp_"): method for name, method in vars(Connection).items() if name.startswith("smtp_")
}
