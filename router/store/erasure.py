"""Erases a ticket with its deliveries, its events, and the messages that belong to no other ticket.

Keeps the counts of the loss audit correct. The caller decides whether the ticket may be erased.
"""

from __future__ import annotations

from router.store.database import QueryExecutor


async def erase_ticket(transaction: QueryExecutor, ticket_id: str) -> int:
    """Returns the number of messages that were erased with the ticket."""
    rows = await transaction.fetch_all("erasure_messages", ticket_id=ticket_id)
    await transaction.execute("erasure_ticket", ticket_id=ticket_id)
    erased = 0
    for row in rows:
        gone = await transaction.execute("erasure_message", message_id=row["id"])
        erased += gone
        if not gone:
            await transaction.execute("erasure_decrement_aliases", message_id=row["id"])
    return erased
