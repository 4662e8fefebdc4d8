"""Queues the updates of the posts of a ticket, in the transaction that changes the ticket.

The transaction must have locked the ticket before. Any number of changes needs one pending update, which shows the
state at the time when it is sent. A ticket without posts costs one read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from router import ids
from router.model import Delivery, Micros
from router.store.database import QueryExecutor, Row, Statement, StatementGenerator
from router.store.fragments import model_values


async def queue_updates(transaction: QueryExecutor, ticket_id: str, now: Micros) -> None:
    for delivery in _build_updates(await transaction.fetch_all("post_to_update", ticket_id=ticket_id), now):
        await transaction.execute("post_queue_update", **model_values(delivery))


def queue_updates_of(ticket_ids: Iterable[str], now: Micros) -> StatementGenerator[None]:
    """Queues the updates of several tickets in a statement generator."""
    rows = yield Statement("post_to_update", [{"ticket_id": ticket_id} for ticket_id in ticket_ids])
    yield Statement("post_queue_update", [model_values(delivery) for delivery in _build_updates(rows, now)])


def _build_updates(rows: Iterable[Row], now: Micros) -> Iterator[Delivery]:
    for row in rows:
        is_parked = row["integration_status"] == "failing"
        yield Delivery(
            id=ids.new_id("dlv"),
            workspace_id=row["workspace_id"],
            ticket_id=row["ticket_id"],
            message_id=row["message_id"],
            integration_id=row["integration_id"],
            event="updated",
            created_at=now,
            expires_at=now + row["max_age"],
            next_attempt_at=None if is_parked else now,
            parked_at=now if is_parked else None,
        )
