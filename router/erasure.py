"""A ticket is erased: with its deliveries and events, and each of its messages that no other ticket has.

Promise: all of it or nothing, in the caller's transaction, and the audit's counts stay right (`router.balance`). It
does not ask whether it may: `router.admin.tickets` (an admin's wish) and `router.dispatch.retention` (age) do.
"""

from __future__ import annotations

from router.store.database import Session


async def erase_ticket(session: Session, ticket_id: str) -> int:
    """Returns how many messages went with it."""
    rows = await session.all("erasure_messages", ticket_id=ticket_id)
    await session.run("erasure_attempts", ticket_id=ticket_id)
    await session.run("erasure_ticket", ticket_id=ticket_id)
    erased = 0
    for row in rows:
        gone = await session.run("erasure_message", message_id=row["id"])
        erased += gone
        if not gone:
            await session.run("erasure_uncount", message_id=row["id"])
    return erased
