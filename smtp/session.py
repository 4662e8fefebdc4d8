"""The state of one SMTP session, and the handlers of its commands.

`Session` checks the order of commands (RFC 5321 section 4.1.4). An exception of the core becomes a temporary
failure and a log event. The reply that accepts a message is only returned after its commit.
"""

# ruff: noqa: N802 - the handlers have names like those of aiosmtpd

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from router.errors import DatabaseFileReplaced, Unavailable
from router.mail.address import Mailbox
from router.ports import AcceptResult
from router.routing.envelope import Envelope
from router.routing.route import Refusal, Target
from router.unicode_security import safe_identifier
from smtp import policy, replies
from smtp.commands import MailCommand
from smtp.context import ServerContext
from smtp.data import Content
from smtp.refusals import Refusals
from smtp.replies import Reply

_log = structlog.get_logger()
_Result = TypeVar("_Result")


@dataclass(slots=True)
class Transaction:
    """A mail transaction, which MAIL starts.

    Attributes:
        targets: The targets by recipient, so that a repeated recipient counts once.
        has_refused_chunk: Whether a BDAT chunk was rejected, so that the message cannot become complete.
    """

    sender: Mailbox | None
    smtputf8: bool
    targets: dict[str, Target] = field(default_factory=dict)
    has_refused_chunk: bool = False


class Session:
    """The state of one connection, and the handlers of its commands.

    Attributes:
        is_esmtp: Whether `helo` is the name from EHLO.
        block_list_query: The task that returns the block list that contains the peer, or `""`. None without a query.
    """

    def __init__(self, context: ServerContext, peer: str) -> None:
        self._context = context
        self.peer = peer
        self.helo = ""
        self.is_esmtp = False
        self.tls = ""
        self.transaction: Transaction | None = None
        self.block_list_query: asyncio.Task[str] | None = None
        self._idle_commands = 0
        self._guesses = 0
        self._unfinished_mails = 0  # accepted MAIL commands since the last call of `handle_DATA`
        self._refused_recipients = 0
        self._refusals = Refusals()

    def end_transaction(self) -> None:
        if self.transaction is not None:
            self.transaction = None
            self._log_refusals()

    def close(self) -> None:
        self._log_refusals()
        if self.block_list_query is not None:
            self.block_list_query.cancel()

    def handle_EHLO(self, name: str, *, starttls: bool) -> Reply:
        """Handles EHLO, which also ends an open transaction (RFC 5321 section 4.1.4)."""
        self.end_transaction()
        self.helo, self.is_esmtp = name, True
        size = f"SIZE {self._context.bounds.max_message_bytes}"
        extensions: tuple[str, ...] = ("PIPELINING", size, "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "CHUNKING")
        if starttls:
            extensions = (*extensions, "STARTTLS")
        return self._count_idle_command(replies.ehlo_reply(self._context.hostname, extensions))

    def handle_HELO(self, name: str) -> Reply:
        self.end_transaction()
        self.helo, self.is_esmtp = name, False
        return self._count_idle_command(replies.helo_reply(self._context.hostname))

    def handle_STARTTLS(self, tls: str) -> None:
        """Discards the HELO name and any open transaction (RFC 3207 section 4.2).

        Args:
            tls: The protocol version and the cipher.
        """
        self.end_transaction()
        self.helo, self.is_esmtp = "", False
        self.tls = tls

    def handle_RSET(self) -> Reply:
        self.end_transaction()
        return self._count_idle_command(replies.OK)

    def handle_NOOP(self) -> Reply:
        return self._count_idle_command(replies.OK)

    def handle_VRFY(self) -> Reply:
        """Returns the same reply for every address, to prevent harvesting (RFC 5321 sections 3.5.3 and 7.3)."""
        return self._count_idle_command(replies.CANNOT_VERIFY)

    def _count_idle_command(self, reply: Reply) -> Reply:
        """Counts a command that does not lead to a message. Returns `reply`, or a rejection after too many of them."""
        self._idle_commands += 1
        return replies.TOO_MANY_IDLE if self._has_too_many_idle_commands else reply

    @property
    def _has_too_many_idle_commands(self) -> bool:
        return self._idle_commands > self._context.bounds.max_idle_commands

    def handle_MAIL(self, mail: MailCommand) -> Reply:
        refusal = self._sender_refusal(mail)
        if refusal is not None:
            if not refusal.is_error:
                self._idle_commands += 1
                self._count_refusal(refusal, reverse_path=_format_mailbox(mail.mailbox))
            return refusal
        self._log_refusals()  # earlier MAIL commands may have been rejected
        self.transaction = Transaction(mail.mailbox, mail.smtputf8)
        self._idle_commands = 0
        self._unfinished_mails += 1
        return replies.SENDER_OK

    def _sender_refusal(self, mail: MailCommand) -> Reply | None:
        context = self._context
        if not self.helo:
            return replies.HELLO_FIRST
        if self.transaction is not None:
            return replies.NESTED_MAIL
        if self._has_too_many_idle_commands or self._unfinished_mails >= context.bounds.max_unfinished_mails:
            # 421 rather than 503: the next message may be legitimate and should be retried.
            return replies.TOO_MANY_UNFINISHED
        refusal = context.blocked_senders.check(self.peer, mail.mailbox)
        refusal = refusal or policy.declared_size_reply(mail.size, context.bounds.max_message_bytes)
        if refusal is None and not context.limits.count_mail(self.peer, context.clock.monotonic()):
            refusal = replies.TOO_MANY_MAILS
        return refusal

    async def handle_RCPT(self, mailbox: Mailbox) -> Reply:
        transaction, context = self.transaction, self._context
        if transaction is None:
            return replies.MAIL_FIRST if self.helo else replies.HELLO_FIRST
        refusal = policy.recipient_count_reply(len(transaction.targets), context.bounds.max_recipients)
        if refusal is None and self.block_list_query is not None and await self.block_list_query:
            refusal = replies.ADDRESS_LISTED
        if refusal is None:
            sender = "" if transaction.sender is None else str(transaction.sender)
            result = await self._call_core(context.recipients.resolve(mailbox, reverse_path=sender, peer=self.peer))
            if isinstance(result, Target):
                if result.recipient in transaction.targets:
                    return self._count_idle_command(replies.RECIPIENT_OK)
                if not transaction.targets:
                    context.side_tasks.run("prefetch", lambda: self._prefetch(sender))
                transaction.targets[result.recipient] = result
                return replies.RECIPIENT_OK
            refusal = policy.refusal_reply(result) if isinstance(result, Refusal) else result
        self._refused_recipients += 1
        refusal = policy.refused_recipient_reply(refusal, self._refused_recipients, context.bounds)
        self._count_refusal(refusal, _format_mailbox(mailbox), reverse_path=_format_mailbox(transaction.sender))
        return refusal

    def _prefetch(self, reverse_path: str) -> None:
        self._context.senders.prefetch(peer=self.peer, helo=self.helo, reverse_path=reverse_path)

    def next_guess_delay(self, reply: Reply) -> float:
        """Returns the seconds to wait before a reply to RCPT, to slow down harvesting.

        Counts the replies that reject a guessed recipient. Replies to trusted peers are not delayed.
        """
        if not policy.is_guess(reply) or self.peer in self._context.limits.trusted:
            return 0.0
        self._guesses += 1
        return policy.tarpit_delay(self._guesses, self._context.bounds)

    def content_refusal(self) -> Reply | None:
        """Returns the rejection of DATA or BDAT without HELO, MAIL or a recipient, else None (RFC 5321 3.3, 4.1.4)."""
        if not self.helo:
            return replies.HELLO_FIRST
        if self.transaction is None:
            return replies.MAIL_FIRST
        return None if self.transaction.targets else replies.NO_RECIPIENTS

    @property
    def has_refused_chunk(self) -> bool:
        return self.transaction is not None and self.transaction.has_refused_chunk

    def chunk_refusal(self) -> Reply | None:
        return self.content_refusal() or (replies.CHUNK_REFUSED if self.has_refused_chunk else None)

    def mark_chunk_refused(self) -> None:
        if self.transaction is not None:
            self.transaction.has_refused_chunk = True

    def handle_BDAT(self, size: int) -> Reply:
        """Accepts a chunk of `size` bytes. An empty chunk counts as an idle command."""
        reply = replies.chunk_reply(size)
        return reply if size else self._count_idle_command(reply)

    async def handle_DATA(self, content: Content) -> Reply:
        """Accepts or rejects a message after its content, and ends the transaction (RFC 5321 section 4.1.1.4)."""
        transaction, self.transaction = self.transaction, None
        if transaction is None:  # only if the caller did not check `content_refusal`
            return replies.MAIL_FIRST
        self._unfinished_mails = 0
        reply = await self._handle_content(transaction, content)
        self._log_refusals()
        return reply

    async def _handle_content(self, transaction: Transaction, content: Content) -> Reply:
        if content.is_too_large:
            return self._refuse_content(replies.TOO_LARGE, transaction, content.size)
        if content.is_discarded:
            return self._refuse_content(replies.NO_STORAGE, transaction, content.size)
        mail, bounds = content.getvalue(), self._context.bounds
        refusal = policy.received_fields_reply(mail, bounds.max_received_fields, bounds.max_searched_header_bytes)
        if refusal is not None:
            return self._refuse_content(refusal, transaction, len(mail))
        accepted = await self._call_core(self._context.acceptor.accept(self._envelope(transaction), mail))
        if isinstance(accepted, Reply):
            return self._refuse_content(accepted, transaction, len(mail))
        reply = replies.queued_reply(accepted.message_id)
        self._context.side_tasks.run("log", lambda: self._log_accepted(accepted, transaction, len(mail)))
        return reply

    def _log_accepted(self, accepted: AcceptResult, transaction: Transaction, size: int) -> None:
        _log.info(
            "smtp.accepted",
            message_id=accepted.message_id,
            peer=self.peer,
            recipients=len(transaction.targets),
            size=size,
            duplicate=accepted.is_duplicate,
        )

    def _refuse_content(self, reply: Reply, transaction: Transaction, size: int) -> Reply:
        self._count_refusal(reply, reverse_path=_format_mailbox(transaction.sender), size=size)
        return reply

    def _count_refusal(self, reply: Reply, recipient: str | None = None, **details: object) -> None:
        self._refusals.add(self._context.meter, reply, recipient, **details)

    def _log_refusals(self) -> None:
        if self._refusals:
            networks = None if self._count_log_line() else self._context.network_refusals
            self._context.side_tasks.run("log", lambda: self._refusals.log(self.peer, networks))

    def _count_log_line(self) -> bool:
        return self._context.limits.count_log_line(self.peer, self._context.clock.monotonic())

    def _envelope(self, transaction: Transaction) -> Envelope:
        return Envelope(
            reverse_path=_format_mailbox(transaction.sender),
            targets=tuple(transaction.targets.values()),
            peer=self.peer,
            helo=self.helo,
            protocol=self._protocol(transaction.smtputf8),
            tls=self.tls,
        )

    def _protocol(self, smtputf8: bool) -> str:
        """Returns the `with` value of the Received field (RFC 3848, RFC 6531 section 4.3)."""
        secure = "S" if self.tls else ""
        if smtputf8:
            return f"UTF8SMTP{secure}"
        return f"ESMTP{secure}" if self.is_esmtp or secure else "SMTP"

    async def _call_core(self, call: Awaitable[_Result]) -> _Result | Reply:
        """Returns the result of a call to the core. Logs an exception and returns a temporary failure for it."""
        try:
            return await call
        except Exception as error:  # noqa: BLE001 - a failure of the server: the client should retry
            if isinstance(error, DatabaseFileReplaced) or not self._count_log_line():
                _log.debug("smtp.temporary_failure", peer=self.peer, error=str(error))
            elif isinstance(error, Unavailable):
                _log.warning("smtp.temporary_failure", peer=self.peer, error=str(error))
            else:
                _log.exception("smtp.temporary_failure", peer=self.peer)
            return policy.fault_reply(error)


def _format_mailbox(mailbox: Mailbox | None) -> str:
    """Formats a mailbox for storage and logs. The null reverse-path is `""`."""
    return "" if mailbox is None else safe_identifier(str(mailbox))
