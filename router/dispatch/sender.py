"""Sends a delivery batch: has the messages parsed, has the channel render them, and makes the HTTP request.

Errors of the endpoint or the network are outcomes. An unavailable database or parser raises `Unavailable`. Each request
has the whole time limit and ends before the lease of the integration, however long the parser took; or it is not made.
"""

from __future__ import annotations

from dataclasses import dataclass

from router.channels.channel import Channel
from router.channels.contract import DeadlinePassed, DigestEntry, Payload, SendFailure, SendOutcome, SendSuccess
from router.channels.poster import IntegrationSender, Poster
from router.clock import Clock
from router.contents.store import ContentStore
from router.dispatch import ticket_notification, ticket_state
from router.dispatch.delivery_batch import DeliveryBatch, NotSent, StateShown
from router.dispatch.ticket_state import TicketState
from router.mail.contents import Contents
from router.store.database import Row

_ERASED = SendFailure("rejected", "the ticket was erased")


@dataclass(frozen=True, slots=True)
class _TicketData:
    """The row of `dispatch_notification` of a delivery, and the contents of its message."""

    row: Row
    contents: Contents

    @property
    def post_ref(self) -> str | None:
        """Returns the reference of the ticket's post at the integration, if there is one."""
        ref: str | None = self.row["post_ref"]
        return ref

    def without_post(self) -> _TicketData:
        """Returns the data for a first message that replaces the post."""
        return _TicketData({**self.row, "post_ref": None}, self.contents)


class TicketSender:
    """Implements `router.dispatch.dispatcher.DeliverySender`.

    `link_base` is `public_url`. It is None, and messages contain no links, if `public_url` is a loopback address.
    """

    def __init__(self, contents: ContentStore, poster: Poster, clock: Clock, *, link_base: str | None) -> None:
        self._contents = contents
        self._poster = poster
        self._clock = clock
        self._link_base = link_base

    async def send(self, batch: DeliveryBatch) -> SendOutcome:
        prepared = self._poster.prepare(batch.integration)
        if isinstance(prepared, SendFailure):
            return prepared
        try:
            return await self._send(prepared.for_attempt(self._clock, batch.integration.lease_until), batch)
        except DeadlinePassed:  # for example, the process was suspended: another one may be sending the batch
            return NotSent(None, "not sent: the lease ends too soon")

    async def _send(self, integration: IntegrationSender, batch: DeliveryBatch) -> SendOutcome:
        rows = [batch.notifications[each.id] for each in batch.deliveries if each.id in batch.notifications]
        if batch.form == "digest" and rows:
            return await integration.send(
                integration.channel.render_digest([self._build_digest_entry(row) for row in rows])
            )
        if rows and rows[0]["event"] in ticket_notification.REPLY_EVENTS:
            return await self._send_about_reply(integration, rows[0])
        if not rows or batch.stored_contents is None:
            return _ERASED
        ticket = _TicketData(rows[0], await self._contents.complete(batch.stored_contents))
        channel, ref = integration.channel, ticket.post_ref
        if batch.is_update or (ref is None and channel.can_update):
            return await self._send_post(integration, batch, ticket)
        payload = self._render(channel, batch, ticket)
        if ref is None or not channel.can_thread:
            return await integration.send(payload)
        outcome = await integration.reply(ref, payload)
        if not isinstance(outcome, SendFailure) or outcome.kind != "gone":
            return outcome
        try:
            if not channel.can_update:
                return await integration.send(payload)
            return await self._send_post(integration, batch, ticket.without_post())
        except DeadlinePassed:
            return outcome  # the next attempt starts with a first message

    async def _send_about_reply(self, integration: IntegrationSender, row: Row) -> SendOutcome:
        """Tells of a reply that failed or bounced, in the thread of the ticket's post if there is one."""
        link = self._ticket_link(row["ticket_id"])
        payload = integration.channel.render_alert(ticket_notification.reply_alert_from_row(row, link))
        if row["post_ref"] is not None and integration.channel.can_thread:
            outcome = await integration.reply(row["post_ref"], payload)
            if not isinstance(outcome, SendFailure) or outcome.kind != "gone":
                return outcome
        return await integration.send(payload)

    async def _send_post(
        self, integration: IntegrationSender, batch: DeliveryBatch, ticket: _TicketData
    ) -> SendOutcome:
        """Sends or updates the message that shows the state of the ticket."""
        payload = self._render(integration.channel, batch, ticket, ticket_state.from_row(ticket.row))
        if ticket.post_ref is None:
            outcome = await integration.send(payload)
        else:
            outcome = await integration.update(ticket.post_ref, payload)
        if not isinstance(outcome, SendSuccess):
            return outcome
        return StateShown(outcome.status, outcome.excerpt, outcome.latency, outcome.ref, outcome.pause)

    def _render(self, channel: Channel, batch: DeliveryBatch, ticket: _TicketData, state: TicketState = ()) -> Payload:
        link = self._ticket_link(ticket.row["ticket_id"])
        notification = ticket_notification.from_row(ticket.row, ticket.contents, link, state)
        return channel.render_plain(notification) if batch.form == "text" else channel.render(notification)

    def _build_digest_entry(self, row: Row) -> DigestEntry:
        return DigestEntry(
            event=row["event"],
            number=row["number"],
            subject=row["subject"],
            from_address=ticket_notification.digest_address(row),
            address=row["address"],
            link=self._ticket_link(row["ticket_id"]),
            warned=bool(row["warning"]),
            released=bool(row["released"]),
        )

    def _ticket_link(self, ticket_id: str) -> str | None:
        return ticket_notification.build_ticket_link(self._link_base, ticket_id)
