"""Test messages to aliases, sent by SMTP to a server of this installation like the messages of others."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from router import ids
from router.clock import Clock
from router.errors import Refused
from router.mail.address import Mailbox
from router.model import Alias
from router.outbound.smtp_client import SmtpClient, SmtpRejected, SmtpServerAddress, SmtpUnreachable
from router.ports import RecipientResolver
from router.routing.envelope import new_test_message_id
from router.routing.route import CATCH_ALL, Refusal, RefusalReason
from router.secrets import SecretBox
from router.store.database import Database

_CATCH_ALL_LOCAL_PART = "emailrouter-test"  # receives the test message of a catch-all
_REFUSAL_REASONS: Mapping[RefusalReason, str] = {
    "relay": "its domain no longer exists",
    "pending": "its domain is not verified yet",
    "unknown": "the alias no longer exists",
    "disabled": "the alias is disabled",
}
_QUEUED = re.compile(r"queued as (msg_\w+)$")
TOTAL_SECONDS = 20.0  # for all servers, less than the time limit of an API request


@dataclass(frozen=True, slots=True)
class TestMail:
    """The ids of an accepted test message and of its ticket. `server` is the address of the SMTP server."""

    __test__ = False  # not a test class of pytest

    message_id: str
    ticket_id: str | None
    server: str = ""


class TestMailService:
    """Sends test messages through the SMTP server, so that an accepted one shows that the listener works.

    Args:
        servers: Returns the SMTP servers of this installation. A message goes to the first one that can be reached.
        box: Signs the messages, so that their sender is not checked.
        hostname: The domain of the sender, which is the postmaster.
    """

    __test__ = False

    def __init__(
        self,
        database: Database,
        clock: Clock,
        recipients: RecipientResolver,
        client: SmtpClient,
        servers: Callable[[], Sequence[SmtpServerAddress]],
        *,
        box: SecretBox,
        hostname: str,
    ) -> None:
        self._database = database
        self._clock = clock
        self._recipients = recipients
        self._client = client
        self._servers = servers
        self._box = box
        self._hostname = hostname

    async def send(self, alias: Alias) -> TestMail:
        """Raises `conflict` if mail to the alias is not accepted or is routed to another alias."""
        mailbox = Mailbox(_CATCH_ALL_LOCAL_PART if alias.local_part == CATCH_ALL else alias.local_part, alias.domain)
        target = await self._recipients.resolve(mailbox)
        if isinstance(target, Refusal):
            raise Refused("conflict", f"Mail to {alias.email} is not accepted: {_REFUSAL_REASONS[target.reason]}")
        if target.alias_id != alias.id:
            raise Refused("conflict", f"Mail to {mailbox} is routed to another alias, {target.address}")
        server, reply = await self._send_to_first(alias, mailbox)
        match = _QUEUED.search(reply)
        row = match and await self._database.fetch_one("message_recipients", message_id=match[1], limit=1)
        if match is None or row is None:
            raise Refused(
                "conflict",
                f"{server} accepted the test message, but it is not in the database of this process: set [smtp] listen "
                "and [server] mx_hosts to the servers of this installation",
            )
        return TestMail(match[1], row["ticket_id"], str(server))

    async def _send_to_first(self, alias: Alias, mailbox: Mailbox) -> tuple[SmtpServerAddress, str]:
        """Sends to the first server that can be reached. Returns it and its reply."""
        sender = f"postmaster@{self._hostname}"
        content = self._compose(alias, mailbox, sender)
        problems = []
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                for server in self._servers():
                    try:
                        return server, await self._client.send(
                            server, reverse_path=sender, recipient=str(mailbox), content=content
                        )
                    except SmtpUnreachable as error:
                        problems.append(f"{server}: {error.reason}")
        except SmtpRejected as error:
            raise Refused(
                "conflict",
                f"The SMTP server at {server} did not accept the test message to {mailbox}: {error.reason}. "
                f"`emailrouter explain {mailbox}` shows the rules for this address",
            ) from None
        except TimeoutError:
            problems.append(f"no more tried within {TOTAL_SECONDS:g} s")
        raise Refused(
            "conflict",
            f"The SMTP server of this installation cannot be reached ({'; '.join(problems) or 'it has no address'}): "
            "start `emailrouter serve` or `emailrouter smtp`, or correct [smtp] listen and [server] mx_hosts",
        )

    def _compose(self, alias: Alias, mailbox: Mailbox, sender: str) -> bytes:
        now = datetime.fromtimestamp(self._clock.now() // 1_000_000, UTC)
        lines = (
            f"From: Email Router <{sender}>",
            f"To: {mailbox}",
            f"Subject: Test of {alias.email}",
            f"Date: {format_datetime(now)}",
            f"Message-ID: <{new_test_message_id(self._box, ids.new_id('msg'), self._hostname)}>",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: 8bit",
            "",
            f"This is a test of {alias.email}: mail to this address arrives here. You can resolve this ticket.",
            "",
        )
        return "\r\n".join(lines).encode()
