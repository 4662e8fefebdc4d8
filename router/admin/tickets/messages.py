"""Messages: search by id, raw content, attachments, trace."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from router import ids
from router.admin import validation
from router.admin.fetch import fetch_by_id, find_ticket_id
from router.admin.tickets.raw_messages import RawMessage, RawMessages
from router.admin.tickets.reply_views import ReplyView, read_by_messages
from router.admin.tickets.sender_checks import read_checks
from router.admin.tickets.timeline import MAX_ID_SUFFIX
from router.checks.results import MessageChecks
from router.contents.store import ContentStore
from router.errors import not_found_error
from router.mail.contents import AttachmentData
from router.model import Actor, Attempt, Delivery, Message, Micros, TicketMessage
from router.store.database import Database, Row, fetch_models, model_from_row

MAX_LINKS = 1000
MAX_DELIVERIES = 1000
MAX_ATTEMPTS = 1000
MAX_RESULTS = 50
_MAX_MESSAGE_ID_BYTES = 998  # the limit of the header parser
Detail = dict[str, str | bool | int | None]


@dataclass(frozen=True, slots=True)
class TraceEvent:
    """An event in the processing of a message.

    `detail` contains JSON values, named as in the API, and a time as `nextAttemptAt`.
    """

    at: Micros
    event: str
    detail: Detail


@dataclass(frozen=True, slots=True)
class Trace:
    """The events in the processing of a message, oldest first."""

    message_id: str
    ticket_ids: tuple[str, ...]
    events: tuple[TraceEvent, ...]


class MessageService:
    """Reads messages of the actor's workspace. A message is erased with the last of its tickets."""

    def __init__(self, database: Database, contents: ContentStore, *, authserv_ids: Sequence[str]) -> None:
        """`authserv_ids`: see `RawMessages`."""
        self._database = database
        self._contents = contents
        self._raw = RawMessages(database, contents, authserv_ids)

    async def find(self, actor: Actor, text: str) -> tuple[Message, ...]:
        """Finds up to `MAX_RESULTS` messages, newest first.

        `text` is a message id (as in `250 ... queued as`), a Message-ID, or the id or number of a ticket.
        """
        line = validation.validate_line(text, "q", max_length=_MAX_MESSAGE_ID_BYTES + 40).strip()
        ticket_id = await find_ticket_id(self._database, actor, line)
        if ids.is_well_formed(ticket_id, "ticket"):
            if await self._database.fetch_one("ticket_by_id", id=ticket_id, workspace_id=actor.workspace_id) is None:
                return ()
            return await self._fetch_messages(
                "message_page_by_ticket", ticket_id=ticket_id, before=f"msg_{MAX_ID_SUFFIX}", limit=MAX_RESULTS
            )
        if ids.is_well_formed(line, "msg"):
            return await self._fetch_messages("message_by_id", id=line, workspace_id=actor.workspace_id)
        message_id = line.partition(":")[2].strip() if line.lower().startswith("message-id:") else line
        return await self._fetch_messages(
            "message_by_rfc_id",
            rfc_message_id=message_id.strip("<>"),
            workspace_id=actor.workspace_id,
            limit=MAX_RESULTS,
        )

    async def _fetch_messages(self, query: str, **values: object) -> tuple[Message, ...]:
        return tuple(await fetch_models(self._database, Message, query, **values))

    async def get_raw(self, actor: Actor, message_id: str, *, original: bool = False) -> RawMessage:
        """Returns the message with trace fields and results on top, or only the original.

        Raises:
            Refused: `not_found` if its content was erased. The chunks raise it if it is erased while they are read.
        """
        message = await fetch_by_id(self._database, actor, Message, "message_by_id", message_id)
        if original:
            return await self._raw.open_original(message)
        links = await self._fetch_links(message)
        return await self._raw.open(message, sorted({link.recipient for link in links}))

    async def get_attachment(self, actor: Actor, message_id: str, n: int) -> AttachmentData:
        """`n` is the number of the attachment in the message, counted from 1."""
        message = await fetch_by_id(self._database, actor, Message, "message_by_id", message_id)
        data = await self._contents.get_attachment(message.id, n)
        if data is None:
            raise not_found_error("Attachment")
        return data

    async def get_trace(self, actor: Actor, message_id: str) -> Trace:
        message = await fetch_by_id(self._database, actor, Message, "message_by_id", message_id)
        links = await self._fetch_links(message)
        deliveries = await fetch_models(
            self._database, Delivery, "message_deliveries", message_id=message.id, limit=MAX_DELIVERIES
        )
        rows = await self._database.fetch_all("message_attempts", message_id=message.id, limit=MAX_ATTEMPTS)
        reply = (await read_by_messages(self._database, [message])).get(message.id)
        if reply is None:
            events = [_receipt_event(message), *(_routing_event(link) for link in links)]
            recipients = {}
        else:
            events = [_composition_event(message, reply)]
            recipients = {recipient.delivery_id: recipient.address for recipient in reply.recipients}
        checks = (await read_checks(self._database, [message.id])).get(message.id)
        if checks is not None and checks.results.state == "done":
            events.append(_check_event(checks.results, message.received_at))
        spam = await self._database.fetch_all("sender_checks_spam_tickets", message_id=message.id)
        events += [_spam_event(row) for row in spam]
        events += await self._read_bounce_events(message, links)
        targets = {delivery.id: _target(delivery, recipients) for delivery in deliveries}
        events += [_queueing_event(delivery, targets[delivery.id]) for delivery in deliveries]
        attempts = [model_from_row(Attempt, row) for row in rows]
        events += [_attempt_event(each, targets.get(each.delivery_id, {})) for each in attempts]
        events += [_completion_event(each, targets[each.id]) for each in deliveries if each.delivered_at is not None]
        return Trace(
            message.id,
            tuple(dict.fromkeys(link.ticket_id for link in links)),
            tuple(sorted(events, key=lambda event: event.at)),
        )

    async def _read_bounce_events(self, message: Message, links: Sequence[TicketMessage]) -> list[TraceEvent]:
        """Returns what a bounce reported about the recipients of a reply."""
        if message.kind != "bounce" or not links:
            return []
        rows = await self._database.fetch_all(
            "message_bounce_events", ticket_id=links[0].ticket_id, message_id=message.id, limit=MAX_LINKS
        )
        return [_bounce_event(row) for row in rows]

    async def _fetch_links(self, message: Message) -> list[TicketMessage]:
        return await fetch_models(
            self._database, TicketMessage, "message_recipients", message_id=message.id, limit=MAX_LINKS
        )


def _receipt_event(message: Message) -> TraceEvent:
    return TraceEvent(
        message.received_at,
        "received",
        {
            "peer": message.peer,
            "helo": message.helo,
            "protocol": message.protocol,
            "tls": message.tls,
            "receivedBy": message.received_by,
            "reversePath": message.reverse_path,
            "size": message.size,
            "rfcMessageId": message.rfc_message_id,
            "automatic": message.automatic,
            **({"kind": message.kind} if message.kind != "mail" else {}),
        },
    )


def _composition_event(message: Message, reply: ReplyView) -> TraceEvent:
    return TraceEvent(
        message.received_at,
        "composed",
        {
            "replyId": reply.reply.id,
            "ticketId": reply.reply.ticket_id,
            "from": message.from_address,
            "createdBy": reply.author_name,
            "state": reply.reply.state,
            "size": message.size,
            "rfcMessageId": message.rfc_message_id,
        },
    )


def _routing_event(link: TicketMessage) -> TraceEvent:
    return TraceEvent(
        link.created_at,
        "joined" if link.joined_by else "opened",
        {
            "recipient": link.recipient,
            "aliasId": link.alias_id,
            "tag": link.tag,
            "ticketId": link.ticket_id,
            "joinedBy": link.joined_by,
        },
    )


def _check_event(checks: MessageChecks, received_at: Micros) -> TraceEvent:
    spam = checks.spam
    return TraceEvent(
        checks.checked_at or received_at,
        "checked",
        {
            **{str(method): word for method, word in checks.words().items()},
            "summary": checks.summary,
            "filter": f"{spam.source}: {spam.action} ({spam.score:g} of {spam.required:g})" if spam else "",
            "rechecked": checks.rechecked,
        },
    )


def _spam_event(row: Row) -> TraceEvent:
    return TraceEvent(row["spam_at"], "spam", {"ticketId": row["ticket_id"], "reason": row["spam_reason"]})


def _bounce_event(row: Row) -> TraceEvent:
    detail = json.loads(row["detail"])
    shown = {name: detail[name] for name in ("replyId", "address", "action", "code", "text") if name in detail}
    return TraceEvent(row["at"], row["type"].removeprefix("reply."), shown)


def _target(delivery: Delivery, recipients: Mapping[str, str]) -> Detail:
    """Returns what a delivery is sent to: an integration, or a recipient of a reply."""
    if delivery.target != "smarthost":
        return {"integrationId": delivery.integration_id}
    return {"recipient": recipients.get(delivery.id, ""), "smarthost": delivery.integration_id}


def _queueing_event(delivery: Delivery, target: Detail) -> TraceEvent:
    return TraceEvent(
        delivery.created_at,
        "delivery",
        {
            "deliveryId": delivery.id,
            "ticketId": delivery.ticket_id,
            **target,
            "state": delivery.state,
            **({"awaiting": delivery.awaiting, "nextAttemptAt": delivery.next_attempt_at} if delivery.awaiting else {}),
            **({"released": True} if delivery.released else {}),
            "lastError": delivery.last_error,
        },
    )


def _attempt_event(attempt: Attempt, target: Detail) -> TraceEvent:
    return TraceEvent(
        attempt.started_at,
        "attempt",
        {
            "deliveryId": attempt.delivery_id,
            **target,
            "n": attempt.n,
            "outcome": attempt.outcome,
            "status": attempt.status,
            "latencyMs": None if attempt.latency is None else attempt.latency // 1000,
            "answer": attempt.answer,
        },
    )


def _completion_event(delivery: Delivery, target: Detail) -> TraceEvent:
    is_reply = delivery.target == "smarthost"
    via: Detail = {} if is_reply else {"via": delivery.via}
    return TraceEvent(
        delivery.delivered_at or delivery.created_at,
        "sent" if is_reply else "delivered",
        {"deliveryId": delivery.id, **target, **via},
    )
