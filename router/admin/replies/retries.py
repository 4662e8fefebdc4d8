"""Sends a reply again to the recipients whom it did not reach.

The same bytes are sent, with the same Message-ID, also to an address that replaces another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from router.admin import audit
from router.admin.fetch import fetch_by_id
from router.admin.replies.recipient_checks import RecipientChecks
from router.admin.replies.reply_request import check_count
from router.admin.tickets.reply_views import ReplyView
from router.clock import Clock
from router.enumerations import ReplyState
from router.errors import Refused
from router.mail.mailboxes import normalize_address
from router.model import Actor, Micros, ReplyRecipient, Ticket, TicketReply
from router.replies.answered_message import read_received
from router.replies.build import ReplyAddress, ReplyBuilder, new_recipient
from router.replies.new_reply import insert_deliveries, insert_recipients
from router.replies.recipients import drop_duplicates, parse_recipients
from router.replies.sending import SendingDomain, SendingReader
from router.replies.state import aggregate
from router.secrets import SecretBox
from router.store.database import Database, QueryExecutor, fetch_models, retry_on_conflict, run_statements

_FAILED: frozenset[ReplyState] = frozenset({"failed", "bounced"})
_WAITING: ReplyState = "retrying"  # a person can make it due at once


class Retries:
    """Retries replies. `max_age` is how long the mail is retried."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        box: SecretBox,
        *,
        builder: ReplyBuilder,
        checks: RecipientChecks,
        sending: SendingReader,
        max_age: Micros,
    ) -> None:
        self._database = database
        self._clock = clock
        self._box = box
        self._builder = builder
        self._checks = checks
        self._sending = sending
        self._max_age = max_age

    async def retry(self, actor: Actor, found: ReplyView, to: Sequence[str] | None, *, force: bool) -> None:
        """See `ReplyService.retry`."""
        ticket = await fetch_by_id(self._database, actor, Ticket, "ticket_by_id", found.reply.ticket_id)
        received = await read_received(self._database, ticket.id)
        frame = await self._builder.read_frame(ticket, received, found.to, "")
        domain = await self._sending.require(frame.sender.domain_id)
        wanted = None if to is None else drop_duplicates(parse_recipients(to, "to"))
        if wanted is not None:
            if not wanted:
                raise Refused("no_recipient", "to must name an address", "to")
            check_count(len(wanted))
            await self._checks.check(actor.workspace_id, wanted, force=force)
        await self._retry(actor, found.reply, wanted, domain)

    @retry_on_conflict
    async def _retry(
        self, actor: Actor, reply: TicketReply, wanted: Sequence[ReplyAddress] | None, domain: SendingDomain
    ) -> None:
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            await fetch_by_id(transaction, actor, Ticket, "ticket_lock", reply.ticket_id)
            recipients = await fetch_models(transaction, ReplyRecipient, "reply_recipients_lock", reply_id=reply.id)
            has_failed = any(each.state in _FAILED for each in recipients)
            waiting = [each for each in recipients if each.state == _WAITING]
            if not has_failed and (wanted is not None or not waiting):
                raise Refused("conflict", "No recipient of this reply failed: there is nothing to send again")
            await transaction.execute("smarthost_probe_now", id=domain.smarthost_id, now=now)
            due = replace(reply, send_at=now, created_at=now)
            again, replaced = _select(recipients, wanted)
            await self._repeat(transaction, again, due, domain)
            await _give_up(transaction, due, replaced, wanted or ())
            known = {each.address_key for each in recipients}
            added = [each for each in wanted or () if normalize_address(each.address) not in known]
            await self._add(transaction, due, added, domain)
            for each in waiting if wanted is None else ():
                await transaction.execute("reply_delivery_due", id=each.delivery_id, now=now)
            await _update_state(transaction, reply)
            await audit.record(transaction, actor, now, "delivery.replay", reply.id)

    async def _repeat(
        self, transaction: QueryExecutor, failed: Sequence[ReplyRecipient], reply: TicketReply, domain: SendingDomain
    ) -> None:
        for each in failed:
            await transaction.execute(
                "reply_delivery_repeat",
                id=each.delivery_id,
                smarthost_id=domain.smarthost_id,
                now=reply.send_at,
                expires_at=reply.send_at + self._max_age,
            )
            await transaction.execute("reply_recipient_queue", reply_id=reply.id, address_key=each.address_key)

    async def _add(
        self, transaction: QueryExecutor, reply: TicketReply, addresses: Sequence[ReplyAddress], domain: SendingDomain
    ) -> None:
        added = [new_recipient(self._box, reply, address) for address in addresses]
        expires_at = reply.send_at + self._max_age
        await run_statements(transaction, insert_recipients(added, reply.ticket_id))
        await run_statements(
            transaction, insert_deliveries(added, reply, smarthost_id=domain.smarthost_id, expires_at=expires_at)
        )


async def _give_up(
    transaction: QueryExecutor,
    reply: TicketReply,
    replaced: Sequence[ReplyRecipient],
    wanted: Sequence[ReplyAddress],
) -> None:
    text = f"Replaced by {', '.join(each.address for each in wanted)}"
    for each in replaced:
        await transaction.execute(
            "reply_recipient_replace", reply_id=reply.id, address_key=each.address_key, text=text, now=reply.send_at
        )


def _select(
    recipients: Sequence[ReplyRecipient], wanted: Sequence[ReplyAddress] | None
) -> tuple[list[ReplyRecipient], list[ReplyRecipient]]:
    """Returns the recipients to whom the reply is sent again, and those whom others replace.

    A recipient whom another one has replaced can be wanted again.
    """
    failed = [each for each in recipients if each.state in _FAILED]
    if wanted is None:
        return failed, []
    keys = {normalize_address(each.address) for each in wanted}
    unreached = [each for each in recipients if each.state in _FAILED or each.state == "canceled"]
    again = [each for each in unreached if each.address_key in keys]
    return again, [each for each in failed if each.address_key not in keys]


async def _update_state(transaction: QueryExecutor, reply: TicketReply) -> None:
    recipients = await fetch_models(transaction, ReplyRecipient, "reply_recipients_lock", reply_id=reply.id)
    state = aggregate(each.state for each in recipients)
    await transaction.execute("reply_set_state", id=reply.id, state=state)
