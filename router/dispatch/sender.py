"""Makes one request of a piece of work: reads what it is about, has the channel render it, sends it.

Nothing is written here but a parsed mail's contents; the outcome goes back to the dispatcher. What the far side or
the net does is an outcome; only our own database being away raises.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from router.channels.contract import Channel, Client, DigestEntry, Failed, Outcome, Payload, TicketNotice
from router.contents.store import ContentStore
from router.dispatch import ticket_notice
from router.dispatch.outbox import Work
from router.errors import Refused
from router.model import Delivery
from router.secrets import SecretBox, Unsealable
from router.store.database import Database


class TicketSender:
    """The dispatcher's `Sender`. `link_base` is `public_url`, None while that is loopback: then there are no links."""

    def __init__(
        self,
        database: Database,
        contents: ContentStore,
        channels: Mapping[str, Channel[Any]],
        client: Client,
        secrets: SecretBox,
        *,
        link_base: str | None,
        allow_private: bool,
        timeout: float,
    ) -> None:
        self._database = database
        self._contents = contents
        self._channels = channels
        self._client = client
        self._secrets = secrets
        self._link_base = link_base
        self._allow_private = allow_private
        self._timeout = timeout

    async def send(self, work: Work) -> Outcome:
        """See `router.dispatch.dispatcher.Sender.send`."""
        channel = self._channels.get(work.integration.type)
        if channel is None:
            return Failed("permanent", f"this version knows no integration of type {work.integration.type!r}")
        try:
            stored = json.loads(self._secrets.open(work.integration.sealed_settings))
            settings = channel.parse_settings(stored, allow_private=self._allow_private)
        except Unsealable:
            return Failed("permanent", "the webhook URL cannot be read with this secret key: set it again")
        except Refused as refused:
            return Failed("permanent", refused.message)
        payload = await self._payload(channel, work)
        if payload is None:
            return Failed("rejected", "the ticket was erased")
        return await channel.send(self._client, settings, payload, self._timeout)

    async def _payload(self, channel: Channel[Any], work: Work) -> Payload | None:
        if work.form == "digest":
            entries = [entry for d in work.deliveries if (entry := await self._entry(d)) is not None]
            return channel.render_digest(entries) if entries else None
        notice = await self.notice(work.deliveries[0])
        if notice is None:
            return None
        return channel.render_plain(notice) if work.form == "text" else channel.render(notice)

    async def notice(self, delivery: Delivery) -> TicketNotice | None:
        """What a delivery tells, None when its ticket is gone."""
        row = await self._database.one("dispatch_notice", delivery_id=delivery.id)
        if row is None:
            return None
        contents = await self._contents.of(row["message_id"])
        return ticket_notice.of_row(row, contents, self._link(row["ticket_id"]))

    async def _entry(self, delivery: Delivery) -> DigestEntry | None:
        row = await self._database.one("dispatch_notice", delivery_id=delivery.id)
        if row is None:
            return None
        return DigestEntry(
            event=row["event"],
            number=row["number"],
            subject=row["subject"],
            from_address=row["from_address"],
            address=row["address"],
            link=self._link(row["ticket_id"]),
        )

    def _link(self, ticket_id: str) -> str | None:
        return ticket_notice.link(self._link_base, ticket_id)
