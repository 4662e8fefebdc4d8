"""Queues the updates of the posts of tickets, in the transaction that changes the tickets.

The transaction must have locked the tickets before. Any number of changes needs one pending update, which shows the
state at the time when it is sent. Tickets without posts cost one read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from router import ids
from router.model import Delivery, Micros
from router.store.database import Row, Statement, StatementGenerator
from router.store.fragments import model_values


def queue_updates(ticket_ids: Iterable[str], now: Micros) -> StatementGenerator[None]:
    id_list = sorted(ticket_ids)
    if not id_list:
        return
    rows = yield Statement("post_to_update", [{"ids": json.dumps(id_list)}])
    if rows:
        yield Statement("post_queue_update", [model_values(_build_update(row, now)) for row in rows])


def _build_update(row: Row, now: Micros) -> Delivery:
    is_parked = row["integration_status"] == "failing"
    return Delivery(
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
