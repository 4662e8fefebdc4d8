"""Test messages to aliases, accepted like received messages.

Their `protocol` is `TEST`, which no received message has: SMTP has no such transmission type (RFC 3848).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from router import ids
from router.clock import Clock
from router.errors import Refused
from router.mail.address import Mailbox
from router.model import Alias
from router.ports import Acceptor, RecipientResolver
from router.routing.envelope import TEST_PROTOCOL, Envelope
from router.routing.route import CATCH_ALL, Refusal, RefusalReason
from router.store.database import Database

_CATCH_ALL_LOCAL_PART = "emailrouter-test"  # receives the test message of a catch-all
_REFUSAL_REASONS: Mapping[RefusalReason, str] = {
    "relay": "its domain no longer exists",
    "pending": "its domain is not verified yet",
    "unknown": "the alias no longer exists",
    "disabled": "the alias is disabled",
}


@dataclass(frozen=True, slots=True)
class TestMail:
    """The ids of an accepted test message and of its ticket."""

    __test__ = False  # not a test class of pytest

    message_id: str
    ticket_id: str | None


class TestMailService:
    """Passes test messages to the acceptor that the SMTP server uses.

    Their sender is the postmaster of `hostname`.
    """

    __test__ = False

    def __init__(
        self, database: Database, clock: Clock, recipients: RecipientResolver, acceptor: Acceptor, *, hostname: str
    ) -> None:
        self._database = database
        self._clock = clock
        self._recipients = recipients
        self._acceptor = acceptor
        self._hostname = hostname

    async def send(self, alias: Alias) -> TestMail:
        """Raises `conflict` if mail to the alias is not accepted or is routed to another alias."""
        mailbox = Mailbox(_CATCH_ALL_LOCAL_PART if alias.local_part == CATCH_ALL else alias.local_part, alias.domain)
        target = await self._recipients.resolve(mailbox)
        if isinstance(target, Refusal):
            raise Refused("conflict", f"Mail to {alias.email} is not accepted: {_REFUSAL_REASONS[target.reason]}")
        if target.alias_id != alias.id:
            raise Refused("conflict", f"Mail to {mailbox} is routed to another alias, {target.address}")
        sender = f"postmaster@{self._hostname}"
        envelope = Envelope(
            reverse_path=sender, targets=(target,), peer="127.0.0.1", helo=self._hostname, protocol=TEST_PROTOCOL
        )
        accepted = await self._acceptor.accept(envelope, self._compose(alias, mailbox, sender))
        row = await self._database.fetch_one("message_recipients", message_id=accepted.message_id, limit=1)
        return TestMail(accepted.message_id, None if row is None else row["ticket_id"])

    def _compose(self, alias: Alias, mailbox: Mailbox, sender: str) -> bytes:
        now = datetime.fromtimestamp(self._clock.now() // 1_000_000, UTC)
        lines = (
            f"From: Email Router <{sender}>",
            f"To: {mailbox}",
            f"Subject: Test of {alias.email}",
            f"Date: {format_datetime(now)}",
            f"Message-ID: <{ids.new_id('msg')}@{self._hostname}>",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: 8bit",
            "",
            f"This is a test of {alias.email}: mail to this address arrives here. You can resolve this ticket.",
            "",
        )
        return "\r\n".join(lines).encode()
