"""Stops a reply whose author has not seen the newest mail of the customer, or the newest answer of a colleague."""

from __future__ import annotations

from collections.abc import Sequence

from router.admin import ticket_events
from router.errors import Refused
from router.model import Actor
from router.replies.answered_message import TicketMail, find_newest_customers
from router.store.database import QueryExecutor

_CUSTOMER_WROTE = "The customer wrote again meanwhile: read the new message before you answer"
_COLLEAGUE_ANSWERED = "A colleague answered meanwhile: read that answer before you send yours"


async def find_last_message(executor: QueryExecutor, ticket_id: str, received: Sequence[TicketMail]) -> str:
    """Returns the id of the newest mail of the customer or reply of the ticket; `""` without one.

    Args:
        received: The newest mails that the ticket received, newest first.
    """
    customers = find_newest_customers(received)
    reply = await executor.fetch_one("reply_newest", ticket_id=ticket_id, other_than=None)
    if reply is not None and (customers is None or reply["sequence"] > customers.sequence):
        return str(reply["message_id"])
    return "" if customers is None else customers.message_id


async def require_newest(
    executor: QueryExecutor, actor: Actor, ticket_id: str, received: Sequence[TicketMail], last_message_id: str | None
) -> None:
    """Raises `newer_message` if a person's mail, or a reply of another author, is newer than the message that was seen.

    The author may have seen any message of the ticket. Automatic mail never stops a reply.
    """
    if last_message_id is None:
        return
    author = actor.user_id or ticket_events.identify(actor)[1] or ""
    reply = await executor.fetch_one("reply_newest", ticket_id=ticket_id, other_than=author)
    newest = [(mail.sequence, mail.message_id, _CUSTOMER_WROTE) for mail in received if mail.is_customers][:1]
    if reply is not None:
        newest.append((reply["sequence"], reply["message_id"], _COLLEAGUE_ANSWERED))
    seen = await executor.fetch_one("reply_message_sequence", ticket_id=ticket_id, message_id=last_message_id)
    # Only sequences are exact: ids of several hosts follow their clocks.
    newer = sorted(
        each for each in newest if (each[1] > last_message_id if seen is None else each[0] > seen["sequence"])
    )
    if newer:
        _, message_id, text = newer[-1]
        raise Refused("newer_message", text, "ifLastMessageId", {"lastMessageId": message_id})
