"""Cancels a reply that is still queued, and turns it back into a draft."""

from __future__ import annotations

from dataclasses import replace

from router.admin import ticket_events
from router.admin.fetch import fetch_by_id
from router.admin.replies.reply_request import StoredDraft
from router.admin.tickets.drafts import MAX_REPLY_LENGTH, Draft, fetch_draft, save_draft
from router.errors import Refused
from router.model import Actor, Micros, Ticket, TicketReply, User
from router.store.database import QueryExecutor, fetch_model


async def cancel_reply(transaction: QueryExecutor, actor: Actor, reply: TicketReply, now: Micros) -> None:
    """Deletes the message and the deliveries of a reply, and saves its text as a draft of its author.

    Raises:
        Refused: `already_sent` once an attempt was started, or if the reply was canceled.
    """
    author = None
    if reply.user_id is not None:
        author = await fetch_model(transaction, User, "user_lock", id=reply.user_id, workspace_id=actor.workspace_id)
    ticket = await fetch_by_id(transaction, actor, Ticket, "ticket_lock", reply.ticket_id)
    if not await transaction.fetch_all("reply_cancel", id=reply.id, now=now):
        raise Refused("already_sent", "This reply was canceled already" if reply.state == "canceled" else _SENT)
    recipients = await transaction.execute("reply_cancel_recipients", reply_id=reply.id, now=now)
    deleted = await transaction.execute("reply_delete_deliveries", ticket_id=ticket.id, message_id=reply.message_id)
    if deleted != recipients:  # an attempt was started: the transaction is rolled back
        raise Refused("already_sent", _SENT)
    await transaction.execute("reply_delete_link", ticket_id=ticket.id, message_id=reply.message_id)
    await transaction.execute("erasure_message", message_id=reply.message_id)
    await ticket_events.record(transaction, actor, ticket.id, now, "reply.canceled", replyId=reply.id)
    if author is not None and reply.kind == "reply":
        stored = StoredDraft.from_json(reply.draft)
        for upload_id in stored.attachments:
            await transaction.execute("upload_renew", id=upload_id, workspace_id=actor.workspace_id, now=now)
        await _restore_draft(transaction, author.id, ticket.id, stored, now)


_SENT = "This reply is being sent, or was sent: it cannot be canceled any more"


async def _restore_draft(
    transaction: QueryExecutor, user_id: str, ticket_id: str, stored: StoredDraft, now: Micros
) -> None:
    """Saves the canceled text as a draft. A text that its author began meanwhile is kept below it."""
    draft = Draft("reply", stored.text, now, stored.html, stored.to, stored.cc, stored.bcc, stored.attachments)
    begun = await fetch_draft(transaction, user_id, ticket_id, "reply")
    if begun is not None and begun.text.strip() and begun.text != draft.text:
        text = f"{draft.text}\n\n{begun.text}"
        attachments = tuple(dict.fromkeys((*draft.attachments, *begun.attachments)))
        draft = replace(draft, text=text[:MAX_REPLY_LENGTH], html="", attachments=attachments)
    await save_draft(transaction, user_id, ticket_id, draft)
