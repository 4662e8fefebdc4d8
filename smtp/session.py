"""The conversation of one connection: a command, a call of the core, a reply.

`Session` knows the order of commands (RFC 5321 section 4.1.4) and the facts of the connection, and
decides nothing else: `smtp.policy` has the reply for a fact, `Recipients` the target of a mail, and
`Acceptor` commits it. Guarantees: no method raises, whatever the core does: an exception becomes
`451 4.3.0` (`452 4.3.1` for a full disk) and a log line, and never part of a reply. `250 queued` is
made from the result of a commit and from nothing else.
"""

# ruff: noqa: N802 - aiosmtpd names the handlers

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from router.errors import StorageReplaced, Unavailable
from router.mail.address import Mailbox
from router.ports import Accepted
from router.routing.envelope import Envelope
from router.routing.route import Refusal, Target
from router.unicode_security import shown_identifier
from smtp import policy, replies
from smtp.commands import Mail
from smtp.context import ServerContext
from smtp.data import Content
from smtp.refusals import Refusals
from smtp.replies import Reply

_log = structlog.get_logger()
_Result = TypeVar("_Result")


@dataclass(slots=True)
class Transaction:
    """A mail from MAIL on.

    Attributes:
        targets: By recipient, so that a repeated one counts once.
        chunk_refused: Whether a BDAT chunk was refused, so that no later one may complete the mail.
    """

    sender: Mailbox | None
    smtputf8: bool
    targets: dict[str, Target] = field(default_factory=dict)
    chunk_refused: bool = False


class Session:
    """The state of one connection, and the handlers of its commands.

    Attributes:
        extended: Whether the client used EHLO.
        listing: Queries the block lists; its result is the one that contains the peer, or `""`.
    """

    def __init__(self, context: ServerContext, peer: str) -> None:
        self._context = context
        self.peer = peer
        self.helo = ""
        self.extended = False
        self.tls = ""
        self.transaction: Transaction | None = None
        self.listing: asyncio.Task[str] | None = None
        self._idle_commands = 0
        self._guesses = 0
        self._unfinished_mails = 0  # since the last complete one
        self._refused_recipients = 0
        self._refusals = Refusals()

    def end_transaction(self) -> None:
        """Ends the transaction, if there is one, and logs what was refused in it."""
        if self.transaction is not None:
            self.transaction = None
            self._log_refusals()

    def close(self) -> None:
        """Ends the session: nothing follows."""
        self._log_refusals()
        if self.listing is not None:
            self.listing.cancel()

    def handle_EHLO(self, name: str, *, starttls: bool) -> Reply:
        """EHLO also ends a transaction, as RSET does (RFC 5321 section 4.1.4)."""
        self.end_transaction()
        self.helo, self.extended = name, True
        size = f"SIZE {self._context.bounds.max_message_bytes}"
        extensions: tuple[str, ...] = ("PIPELINING", size, "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "CHUNKING")
        if starttls:
            extensions = (*extensions, "STARTTLS")
        return self._idle(replies.extended_hello(self._context.hostname, extensions))

    def handle_HELO(self, name: str) -> Reply:
        """HELO does the same without extensions."""
        self.end_transaction()
        self.helo, self.extended = name, False
        return self._idle(replies.hello(self._context.hostname))

    def handle_STARTTLS(self, tls: str) -> None:
        """Discards what was sent in clear (RFC 3207 section 4.2).

        Args:
            tls: Protocol version and cipher.
        """
        self.end_transaction()
        self.helo, self.extended = "", False
        self.tls = tls

    def handle_RSET(self) -> Reply:
        """Ends the transaction."""
        self.end_transaction()
        return self._idle(replies.OK)

    def handle_NOOP(self) -> Reply:
        """Does nothing."""
        return self._idle(replies.OK)

    def handle_VRFY(self) -> Reply:
        """RFC 5321 section 3.5.3: the same reply for every address, so none can be harvested."""
        return self._idle(replies.CANNOT_VERIFY)

    def _idle(self, reply: Reply) -> Reply:
        """The reply to a command that does not lead to a mail."""
        self._idle_commands += 1
        return replies.TOO_MANY_IDLE if self._too_many_idle else reply

    @property
    def _too_many_idle(self) -> bool:
        return self._idle_commands > self._context.bounds.max_idle_commands

    def handle_MAIL(self, mail: Mail) -> Reply:
        """Starts a transaction."""
        refused = self._refuse_sender(mail)
        if refused is not None:
            if not refused.is_error:
                self._idle_commands += 1
                self._refuse(refused, reverse_path=_shown(mail.mailbox))
            return refused
        self._log_refusals()  # of earlier MAIL commands
        self.transaction = Transaction(mail.mailbox, mail.smtputf8)
        self._idle_commands = 0
        self._unfinished_mails += 1
        return replies.SENDER_OK

    def _refuse_sender(self, mail: Mail) -> Reply | None:
        context = self._context
        if not self.helo:
            return replies.HELLO_FIRST
        if self.transaction is not None:
            return replies.NESTED_MAIL
        if self._too_many_idle or self._unfinished_mails >= context.bounds.max_unfinished_mails:
            # 421 rather than 503: the next message may be legitimate and should be retried.
            return replies.TOO_MANY_ERRORS
        refused = context.blocked.check(self.peer, mail.mailbox)
        refused = refused or policy.for_declared_size(mail.size, context.bounds.max_message_bytes)
        if refused is None and not context.limits.mail(self.peer, context.clock.monotonic()):
            refused = replies.TOO_MANY_MAILS
        return refused

    async def handle_RCPT(self, mailbox: Mailbox) -> Reply:
        """Adds a recipient to the transaction, or refuses it; earlier recipients stay."""
        transaction, context = self.transaction, self._context
        if transaction is None:
            return replies.MAIL_FIRST if self.helo else replies.HELLO_FIRST
        refused = policy.for_recipient_count(len(transaction.targets), context.bounds.max_recipients)
        if refused is None and self.listing is not None and await self.listing:
            refused = replies.ADDRESS_LISTED
        if refused is None:
            sender = "" if transaction.sender is None else str(transaction.sender)
            result = await self._call(context.recipients.resolve(mailbox, reverse_path=sender, peer=self.peer))
            if isinstance(result, Target):
                if result.recipient in transaction.targets:
                    return self._idle(replies.RECIPIENT_OK)
                transaction.targets[result.recipient] = result
                return replies.RECIPIENT_OK
            refused = policy.for_refusal(result) if isinstance(result, Refusal) else result
        self._refused_recipients += 1
        refused = policy.for_refused_recipient(refused, self._refused_recipients, context.bounds)
        self._refuse(refused, _shown(mailbox), reverse_path=_shown(transaction.sender))
        return refused

    def guess_delay(self, reply: Reply) -> float:
        """Seconds to wait before this reply to RCPT; slows address harvesting down."""
        if not policy.is_guess(reply) or self.peer in self._context.limits.trusted:
            return 0.0
        self._guesses += 1
        return policy.tarpit_delay(self._guesses, self._context.bounds)

    def not_ready(self) -> Reply | None:
        """The reply if no content may follow (RFC 5321 section 3.3, RFC 3030 section 2)."""
        if not self.helo:
            return replies.HELLO_FIRST
        if self.transaction is None:
            return replies.MAIL_FIRST
        return None if self.transaction.targets else replies.NO_RECIPIENTS

    @property
    def chunk_refused(self) -> bool:
        """Whether the transaction lacks a refused chunk."""
        return self.transaction is not None and self.transaction.chunk_refused

    def not_ready_for_chunk(self) -> Reply | None:
        """The same for BDAT, also after a refused chunk."""
        return self.not_ready() or (replies.CHUNK_REFUSED if self.chunk_refused else None)

    def refuse_chunk(self) -> None:
        """A chunk was refused: the transaction, if any, cannot get its content any more."""
        if self.transaction is not None:
            self.transaction.chunk_refused = True

    def handle_BDAT(self, size: int) -> Reply:
        """Accepts a chunk of `size` bytes; an empty one does not lead to a mail."""
        reply = replies.chunk_received(size)
        return reply if size else self._idle(reply)

    async def handle_DATA(self, content: Content) -> Reply:
        """Accepts or refuses a complete mail; ends the transaction (RFC 5321 section 4.1.1.4)."""
        transaction, self.transaction = self.transaction, None
        if transaction is None:  # the caller did not check `not_ready`
            return replies.MAIL_FIRST
        self._unfinished_mails = 0
        reply = await self._handle_content(transaction, content)
        self._log_refusals()
        return reply

    async def _handle_content(self, transaction: Transaction, content: Content) -> Reply:
        if content.over:
            return self._refuse_content(replies.TOO_LARGE, transaction, content.size)
        if content.dropped:
            return self._refuse_content(replies.NO_STORAGE, transaction, content.size)
        mail, bounds = content.getvalue(), self._context.bounds
        refused = policy.for_received_fields(mail, bounds.max_received_fields, bounds.searched_header_bytes)
        if refused is not None:
            return self._refuse_content(refused, transaction, len(mail))
        accepted = await self._call(self._context.acceptor.accept(self._envelope(transaction), mail))
        if isinstance(accepted, Reply):
            return self._refuse_content(accepted, transaction, len(mail))
        reply = replies.queued(accepted.message_id)
        self._context.side_tasks.run("log", lambda: self._log_accepted(accepted, transaction, len(mail)))
        return reply

    def _log_accepted(self, accepted: Accepted, transaction: Transaction, size: int) -> None:
        _log.info(
            "smtp.accepted",
            message_id=accepted.message_id,
            peer=self.peer,
            recipients=len(transaction.targets),
            size=size,
            duplicate=accepted.repeat,
        )

    def _refuse_content(self, reply: Reply, transaction: Transaction, size: int) -> Reply:
        """Counts a mail of `size` bytes that was refused after its content came."""
        self._refuse(reply, reverse_path=_shown(transaction.sender), size=size)
        return reply

    def _refuse(self, reply: Reply, recipient: str | None = None, **facts: object) -> None:
        """Counts a refusal, for the metrics and the log line of the transaction."""
        self._refusals.add(self._context.meter, reply, recipient, **facts)

    def _log_refusals(self) -> None:
        if self._refusals:
            networks = None if self._may_log() else self._context.network_refusals
            self._context.side_tasks.run("log", lambda: self._refusals.log(self.peer, networks))

    def _may_log(self) -> bool:
        """Whether the peer may cause one more log line in this minute; counts it."""
        return self._context.limits.log_line(self.peer, self._context.clock.monotonic())

    def _envelope(self, transaction: Transaction) -> Envelope:
        return Envelope(
            reverse_path=_shown(transaction.sender),
            targets=tuple(transaction.targets.values()),
            peer=self.peer,
            helo=self.helo,
            protocol=self._protocol(transaction.smtputf8),
            tls=self.tls,
        )

    def _protocol(self, smtputf8: bool) -> str:
        """The `with` value of the Received field (RFC 3848, RFC 6531 section 4.3)."""
        secure = "S" if self.tls else ""
        if smtputf8:
            return f"UTF8SMTP{secure}"
        return f"ESMTP{secure}" if self.extended or secure else "SMTP"

    async def _call(self, call: Awaitable[_Result]) -> _Result | Reply:
        """The result of the core; an exception becomes a log line and a temporary failure."""
        try:
            return await call
        except Exception as error:  # noqa: BLE001 - our fault: the client should retry
            if isinstance(error, StorageReplaced) or not self._may_log():
                _log.debug("smtp.temporary_failure", peer=self.peer, error=str(error))
            elif isinstance(error, Unavailable):
                _log.warning("smtp.temporary_failure", peer=self.peer, error=str(error))
            else:
                _log.exception("smtp.temporary_failure", peer=self.peer)
            return policy.for_fault(error)


def _shown(mailbox: Mailbox | None) -> str:
    """The mailbox as it is kept and logged."""
    return "" if mailbox is None else shown_identifier(str(mailbox))
