"""Replies for tests, and the parts that submit them, which a test drives step by step."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from emailrouter.assembly import deliver
from router import ids, reply_tokens
from router.clock import SECOND
from router.dispatch.submission_outbox import SubmissionOutbox
from router.dispatch.submission_sender import SentMail, SubmissionSender
from router.dispatch.submission_work import CompletedSubmission, Recorded, Submission, SubmissionClaim
from router.mail.mailboxes import normalize_address
from router.model import Message, Micros, ReplyRecipient, TicketReply
from router.replies.new_reply import NewReply, insert_reply
from router.store.database import run_statements
from tests.support.installation import Installation
from tests.support.smarthost import ScriptedSmarthost
from tests.support.stores import Store

CUSTOMER = "ann@customer.test"
DAY = 86_400 * SECOND


async def queue_reply(
    installation: Installation,
    ticket_id: str,
    recipients: Sequence[str] = (CUSTOMER,),
    *,
    delay: Micros = 0,
    ticket_status: str | None = "waiting",
    smarthost_id: str = "installation",
    **values: Any,
) -> TicketReply:
    """Queues a reply from `support`, due after `delay`. values: fields of `TicketReply`."""
    now = installation.clock.now()
    sender = f"support@{installation.domain_name}"
    message_id = reply_tokens.new_reply_message_id(installation.core.box, installation.domain_name)
    content = (
        f"From: Agent <{sender}>\r\nTo: {recipients[0]}\r\nSubject: Re: Hello\r\nMessage-ID: <{message_id}>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nThank you.\r\n"
    ).encode()
    reply = TicketReply(
        id=ids.new_id("rpl"),
        workspace_id=installation.workspace_id,
        ticket_id=ticket_id,
        message_id=ids.new_id("msg"),
        state="queued",
        send_at=now + delay,
        created_at=now,
        ticket_status=ticket_status,  # type: ignore[arg-type]
        **{"actor_type": "system", "actor_id": None, "user_id": None, **values},
    )
    message = Message(
        id=reply.message_id,
        workspace_id=reply.workspace_id,
        reverse_path="",
        helo="",
        peer="",
        protocol="",
        tls="",
        received_by="",
        size=len(content),
        received_at=now,
        rfc_message_id=message_id,
        reference_ids="[]",
        from_address=sender,
        from_name="Agent",
        subject="Re: Hello",
        sent_at=now,
        automatic="",
        direction="outbound",
        user_id=reply.user_id,
    )
    rows = tuple(
        ReplyRecipient(
            reply_id=reply.id,
            workspace_id=reply.workspace_id,
            address=address,
            address_key=normalize_address(address),
            field="to" if n == 0 else "cc",
            token=reply_tokens.new_bounce_token(installation.core.box),
            delivery_id=ids.new_id("dlv"),
            state="queued",
        )
        for n, address in enumerate(recipients)
    )
    alias_id = installation.aliases["support"]
    expires_at = reply.send_at + 3 * DAY
    new = NewReply(reply, message, content, rows, alias_id, sender, alias_id, smarthost_id, expires_at)
    async with installation.database.transaction() as transaction:
        await run_statements(transaction, insert_reply(new))
    return reply


@dataclass
class ManualSubmissions:
    """An installation with a scripted smarthost, and the parts of a deliver process that submit replies."""

    installation: Installation
    smarthost: ScriptedSmarthost
    outbox: SubmissionOutbox = field(init=False)
    sender: SubmissionSender = field(init=False)

    def __post_init__(self) -> None:
        self.outbox = deliver.build_submission_outbox(self.installation.core)
        self.sender = deliver.build_submission_sender(self.installation.core, self.outbox)

    async def claim(self, slots: int = 4) -> list[Submission]:
        """Claims the mail that is due."""
        ready = await self.outbox.find_ready()
        if not ready:
            return []
        claimed = await self.outbox.claim(SubmissionClaim({each.id: slots for each in ready}, {}))
        return list(claimed.submissions)

    async def send(self, submission: Submission) -> SentMail:
        async def commit_final_dot() -> None:
            assert await self.outbox.begin_final_dot(submission)

        return await self.sender.send(submission, commit_final_dot)

    async def record(self, submission: Submission, sent: SentMail) -> Recorded:
        completed = CompletedSubmission(submission, sent.end, 0.0, is_sender_replaced=sent.is_sender_replaced)
        return await self.outbox.record(completed)

    async def submit_due(self) -> int:
        """Submits everything that is due now; returns the number of attempts."""
        count = 0
        while claimed := await self.claim():
            for submission in claimed:
                await self.record(submission, await self.send(submission))
            count += len(claimed)
        return count

    async def reply(self, reply_id: str) -> dict[str, object]:
        (row,) = await self.installation.execute("SELECT * FROM replies WHERE id = :id", id=reply_id)
        return row

    async def recipients(self, reply_id: str) -> list[dict[str, object]]:
        return await self.installation.execute(
            "SELECT r.*, d.state AS delivery_state, d.attempts, d.next_attempt_at, d.parked_at, d.last_error "
            "FROM reply_recipients r JOIN deliveries d ON d.id = r.delivery_id "
            "WHERE r.reply_id = :id ORDER BY r.address",
            id=reply_id,
        )

    async def recipient(self, reply_id: str) -> dict[str, object]:
        (row,) = await self.recipients(reply_id)
        return row

    async def ticket(self, ticket_id: str) -> dict[str, object]:
        (row,) = await self.installation.execute("SELECT * FROM tickets WHERE id = :id", id=ticket_id)
        return row

    async def events(self, ticket_id: str) -> list[dict[str, object]]:
        return await self.installation.execute(
            "SELECT * FROM ticket_events WHERE ticket_id = :id ORDER BY sequence", id=ticket_id
        )


@asynccontextmanager
async def open_submissions(
    store: Store, settings: Mapping[str, object] | None = None
) -> AsyncIterator[ManualSubmissions]:
    """Opens an installation that submits to a scripted smarthost."""
    async with ScriptedSmarthost() as smarthost:
        own = {"outgoing.smarthost": smarthost.url, "delivery.allow_private_networks": True}
        installation = Installation(store, {**own, **(settings or {})})
        await installation.seed()
        try:
            parts = ManualSubmissions(installation, smarthost)
            await parts.outbox.start(smarthost.url)
            yield parts
        finally:
            await installation.close()
