"""Sends a delivery batch: has the messages parsed, has the channel render them, and makes the HTTP request.

Errors of the endpoint or the network are outcomes. An unavailable database or parser raises `Unavailable`.
"""

from __future__ import annotations

from router.channels.channel import Channel
from router.channels.contract import DigestEntry, Payload, SendFailure, SendOutcome
from router.channels.poster import Poster
from router.contents.store import ContentStore
from router.dispatch import ticket_notification
from router.dispatch.delivery_batch import DeliveryBatch
from router.store.database import Row


class TicketSender:
    """Implements `router.dispatch.dispatcher.DeliverySender`.

    `link_base` is `public_url`. It is None, and messages contain no links, if `public_url` is a loopback address.
    """

    def __init__(self, contents: ContentStore, poster: Poster, *, link_base: str | None) -> None:
        self._contents = contents
        self._poster = poster
        self._link_base = link_base

    async def send(self, batch: DeliveryBatch) -> SendOutcome:
        integration = self._poster.prepare(batch.integration)
        if isinstance(integration, SendFailure):
            return integration
        payload = await self._render_payload(integration.channel, batch)
        if payload is None:
            return SendFailure("rejected", "the ticket was erased")
        return await integration.send(payload)

    async def _render_payload(self, channel: Channel, batch: DeliveryBatch) -> Payload | None:
        """Returns None if the tickets were erased."""
        rows = [batch.notifications[each.id] for each in batch.deliveries if each.id in batch.notifications]
        if not rows:
            return None
        if batch.form == "digest":
            return channel.render_digest([self._build_digest_entry(row) for row in rows])
        if batch.stored_contents is None:
            return None
        contents = await self._contents.complete(batch.stored_contents)
        notification = ticket_notification.from_row(rows[0], contents, self._ticket_link(rows[0]["ticket_id"]))
        return channel.render_plain(notification) if batch.form == "text" else channel.render(notification)

    def _build_digest_entry(self, row: Row) -> DigestEntry:
        return DigestEntry(
            event=row["event"],
            number=row["number"],
            subject=row["subject"],
            from_address=row["from_address"],
            address=row["address"],
            link=self._ticket_link(row["ticket_id"]),
        )

    def _ticket_link(self, ticket_id: str) -> str | None:
        return ticket_notification.build_ticket_link(self._link_base, ticket_id)
