"""Erases a ticket with its deliveries, events and replies, and the messages that belong to no other ticket.

Keeps the counts of the loss audit correct. The caller decides whether the ticket may be erased.
"""

from __future__ import annotations

from dataclasses import dataclass

from router.store.database import QueryExecutor, model_from_row


@dataclass(frozen=True, slots=True)
class ErasurePreview:
    """The numbers of what `erase_ticket` erases.

    Attributes:
        size: The total size of the erased messages in bytes.
        kept_messages: The number of messages of the ticket that also belong to another ticket.
    """

    messages: int
    size: int
    notes: int
    deliveries: int
    kept_messages: int


async def preview_erasure(executor: QueryExecutor, ticket_id: str) -> ErasurePreview:
    row = await executor.fetch_one("erasure_preview", ticket_id=ticket_id)
    if row is None:
        raise RuntimeError("an aggregate returned no row")
    return model_from_row(ErasurePreview, {**row, "size": int(row["size"])})


async def erase_ticket(transaction: QueryExecutor, ticket_id: str) -> int:
    """Returns the number of messages that were erased with the ticket."""
    rows = await transaction.fetch_all("erasure_messages", ticket_id=ticket_id)
    await transaction.execute("erasure_uploads", ticket_id=ticket_id)
    await transaction.execute("erasure_bounces", ticket_id=ticket_id)
    await transaction.execute("erasure_ticket", ticket_id=ticket_id)
    erased = 0
    for row in rows:
        gone = await transaction.execute("erasure_message", message_id=row["id"])
        erased += gone
        if not gone:
            await transaction.execute("erasure_decrement_aliases", message_id=row["id"])
    return erased
