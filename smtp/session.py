"""One connection's conversation: translate a command, call the core, translate its answer into a reply.

`Session` knows the order of commands (RFC 5321 section 4.1.4) and the facts of the connection; it decides nothing else
itself: `smtp.policy` says which reply a fact deserves, `Recipients` where a mail goes, `Acceptor` whether it is kept.
Promise: no method raises, whatever the core does; an exception becomes `451 4.3.0` (`452 4.3.1` for a full disk) and a
log line, and never part of a reply. `250 queued` is made from the value of a commit and from nothing else. Who calls
it: `smtp.protocol`, one session for each connection, one command at a time.
"""

# ruff: noqa: N802 - the names of handlers are aiosmtpd's

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from config.schema import Smtp
from router.clock import Clock
from router.errors import StorageReplaced, Unavailable
from router.mail.address import Mailbox
from router.meter import UNMETERED, Meter
from router.ports import Accepted, Acceptor, Recipients
from router.routing.envelope import Envelope
from router.routing.route import Refusal, Target
from router.side_tasks import SideTasks
from smtp import policy, replies
from smtp.commands import Mail
from smtp.dnsbl import BlockLists
from smtp.in_flight import InFlight
from smtp.limits import Limits
from smtp.policy import BlockedSenders
from smtp.replies import Reply

_log = structlog.get_logger()
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Door:
    """What all sessions of a server share. Made by `smtp.server`."""

    settings: Smtp
    hostname: str
    recipients: Recipients
    acceptor: Acceptor
    clock: Clock
    limits: Limits
    in_flight: InFlight
    blocked: BlockedSenders
    block_lists: BlockLists | None
    meter: Meter = UNMETERED
    side_tasks: SideTasks = field(default_factory=SideTasks)


@dataclass(slots=True)
class Transaction:
    """A mail that has begun: MAIL was accepted. targets: by recipient, so that one said twice is one."""

    sender: Mailbox | None
    smtputf8: bool
    targets: dict[str, Target] = field(default_factory=dict)


class Session:
    """The state of one connection, and the handlers of its commands."""

    def __init__(self, door: Door, peer: str) -> None:
        self._door = door
        self.peer = peer
        self.helo = ""
        self.extended = False
        self.tls = ""
        self.transaction: Transaction | None = None
        self.listing: Awaitable[str] | None = None  # the block list that names the peer, `""` for none

    def handle_EHLO(self, name: str, extensions: tuple[str, ...]) -> Reply:
        """EHLO also ends a transaction, as RSET would (RFC 5321 section 4.1.4)."""
        self.helo, self.extended, self.transaction = name, True, None
        return replies.extended_hello(self._door.hostname, extensions)

    def handle_HELO(self, name: str) -> Reply:
        """HELO, the same without extensions."""
        self.helo, self.extended, self.transaction = name, False, None
        return replies.hello(self._door.hostname)

    def handle_STARTTLS(self, tls: str) -> None:
        """Forget all that was said in clear (RFC 3207 section 4.2). tls: protocol version and cipher."""
        self.helo, self.extended, self.transaction = "", False, None
        self.tls = tls

    def handle_RSET(self) -> Reply:
        """Forget the transaction."""
        self.transaction = None
        return replies.OK

    def handle_MAIL(self, mail: Mail) -> Reply:
        """Begin a transaction."""
        refused = self._may_begin(mail)
        if refused is not None:
            if not refused.is_error:
                self._door.meter.refused(replies.name(refused))
                _log.info("smtp.refused", peer=self.peer, reverse_path=_text(mail.mailbox), reason=refused.text)
            return refused
        self.transaction = Transaction(mail.mailbox, mail.smtputf8)
        return replies.SENDER_OK

    def _may_begin(self, mail: Mail) -> Reply | None:
        door = self._door
        if not self.helo:
            return replies.HELLO_FIRST
        if self.transaction is not None:
            return replies.NESTED_MAIL
        refused = door.blocked.check(self.peer, mail.mailbox)
        refused = refused or policy.for_declared_size(mail.size, door.settings.max_message_bytes)
        if refused is None and not door.limits.mail(self.peer, door.clock.monotonic()):
            refused = replies.TOO_MANY_MAILS
        return refused

    async def handle_RCPT(self, mailbox: Mailbox) -> Reply:
        """Take a recipient, or say why not; the ones taken before stay."""
        transaction = self.transaction
        if transaction is None:
            return replies.MAIL_FIRST if self.helo else replies.HELLO_FIRST
        refused = policy.for_recipient_count(len(transaction.targets), self._door.settings.max_recipients)
        if refused is None and self.listing is not None and await self.listing:
            refused = replies.ADDRESS_LISTED
        if refused is None:
            sender = _text(transaction.sender)
            answer = await self._ask(self._door.recipients.resolve(mailbox, reverse_path=sender, peer=self.peer))
            if isinstance(answer, Target):
                transaction.targets[answer.recipient] = answer
                return replies.RECIPIENT_OK
            refused = policy.for_refusal(answer) if isinstance(answer, Refusal) else answer
        self._door.meter.refused(replies.name(refused))
        _log.info(
            "smtp.refused",
            peer=self.peer,
            reverse_path=_text(transaction.sender),
            recipient=str(mailbox),
            reason=refused.text,
        )
        return refused

    def not_ready(self) -> Reply | None:
        """Why no content may come now; None when it may (RFC 5321 section 3.3, RFC 3030 section 2)."""
        if not self.helo:
            return replies.HELLO_FIRST
        if self.transaction is None:
            return replies.MAIL_FIRST
        return None if self.transaction.targets else replies.NO_RECIPIENTS

    async def handle_DATA(self, content: bytes) -> Reply:
        """The mail is whole: keep it. The transaction is over, whatever the reply (RFC 5321 section 4.1.1.4)."""
        transaction, self.transaction = self.transaction, None
        if transaction is None:  # a caller that did not ask `not_ready`
            return replies.MAIL_FIRST
        refused = policy.for_received_fields(content, self._door.settings.max_received_headers)
        if refused is not None:
            return self.refuse_content(refused, len(content), transaction)
        accepted = await self._ask(self._door.acceptor.accept(self._envelope(transaction), content))
        if isinstance(accepted, Reply):
            return self.refuse_content(accepted, len(content), transaction)
        reply = replies.queued(accepted.message_id)
        self._door.side_tasks.run("log", lambda: self._log_accepted(accepted, transaction, len(content)))
        return reply

    def _log_accepted(self, accepted: Accepted, transaction: Transaction, size: int) -> None:
        _log.info(
            "smtp.accepted",
            message_id=accepted.message_id,
            peer=self.peer,
            recipients=len(transaction.targets),
            size=size,
            repeat=accepted.repeat,
        )

    def refuse_content(self, reply: Reply, size: int, transaction: Transaction | None = None) -> Reply:
        """Log that a mail was refused after it came, end the transaction, and return the reply. size: octets."""
        transaction, self.transaction = transaction or self.transaction, None
        sender = _text(transaction.sender) if transaction is not None else ""
        self._door.meter.refused(replies.name(reply))
        _log.info("smtp.refused", peer=self.peer, reverse_path=sender, size=size, reason=reply.text)
        return reply

    def _envelope(self, transaction: Transaction) -> Envelope:
        return Envelope(
            reverse_path=_text(transaction.sender),
            targets=tuple(transaction.targets.values()),
            peer=self.peer,
            helo=self.helo,
            protocol=self._protocol(transaction.smtputf8),
            tls=self.tls,
        )

    def _protocol(self, smtputf8: bool) -> str:
        """The word for `with` (RFC 3848, RFC 6531 section 4.3)."""
        secure = "S" if self.tls else ""
        if smtputf8:
            return f"UTF8SMTP{secure}"
        return f"ESMTP{secure}" if self.extended or secure else "SMTP"

    async def _ask(self, question: Awaitable[_Answer]) -> _Answer | Reply:
        """What the core answers; what it raises becomes a log line and a temporary failure."""
        try:
            return await question
        except Exception as error:  # noqa: BLE001 - whatever it is, it is ours, and the sender shall try again
            if isinstance(error, StorageReplaced):
                _log.debug("smtp.fault", peer=self.peer, error=str(error))
            elif isinstance(error, Unavailable):
                _log.warning("smtp.fault", peer=self.peer, error=str(error))
            else:
                _log.exception("smtp.fault", peer=self.peer)
            return policy.for_fault(error)


def _text(mailbox: Mailbox | None) -> str:
    return "" if mailbox is None else str(mailbox)
