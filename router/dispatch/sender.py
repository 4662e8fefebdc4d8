"""Sends a delivery batch: reads the ticket events, has the channel render them, and makes the HTTP request.

Errors of the endpoint or the network are outcomes. An unavailable database or parser raises `Unavailable`.
"""

from __future__ import annotations

from router.channels.channel import Channel
from router.channels.contract import DigestEntry, Payload, SendFailure, SendOutcome, TicketNotification
from router.channels.poster import Poster
from router.contents.store import ContentStore
from router.dispatch import ticket_notification
from router.dispatch.delivery_batch import DeliveryBatch
from router.model import Delivery
from router.store.database import Database


class TicketSender:
    """Implements `router.dispatch.dispatcher.DeliverySender`.

    `link_base` is `public_url`. It is None, and messages contain no links, if `public_url` is a loopback address.
    """

    def __init__(self, database: Database, contents: ContentStore, poster: Poster, *, link_base: str | None) -> None:
        self._database = database
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
        if batch.form == "digest":
            entries = [entry for d in batch.deliveries if (entry := await self._read_digest_entry(d)) is not None]
            return channel.render_digest(entries) if entries else None
        notification = await self.build_notification(batch.deliveries[0])
        if notification is None:
            return None
        return channel.render_plain(notification) if batch.form == "text" else channel.render(notification)

    async def build_notification(self, delivery: Delivery) -> TicketNotification | None:
        """Returns None if the ticket was erased."""
        row = await self._database.fetch_one("dispatch_notification", delivery_id=delivery.id)
        if row is None:
            return None
        contents = await self._contents.get(row["message_id"])
        return ticket_notification.from_row(row, contents, self._ticket_link(row["ticket_id"]))

    async def _read_digest_entry(self, delivery: Delivery) -> DigestEntry | None:
        row = await self._database.fetch_one("dispatch_notification", delivery_id=delivery.id)
        if row is None:
            return None
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
