"""A ticket is erased: with its deliveries and events, and each of its messages that no other ticket has.

All of it or nothing, in the caller's transaction; the counts of the loss audit stay right. The caller decides whether
the ticket may be erased.
"""

from __future__ import annotations

from router.store.database import QueryExecutor


async def erase_ticket(transaction: QueryExecutor, ticket_id: str) -> int:
    """Returns how many messages went with it."""
    rows = await transaction.fetch_all("erasure_messages", ticket_id=ticket_id)
    await transaction.execute("erasure_attempts", ticket_id=ticket_id)
    await transaction.execute("erasure_ticket", ticket_id=ticket_id)
    erased = 0
    for row in rows:
        gone = await transaction.execute("erasure_message", message_id=row["id"])
        erased += gone
        if not gone:
            await transaction.execute("erasure_decrement_aliases", message_id=row["id"])
    return erased
