"""The values of placeholders for a ticket."""

from __future__ import annotations

from collections.abc import Mapping

from router.local_time import LocalTime
from router.store.database import QueryExecutor


async def read_values(
    executor: QueryExecutor, workspace_id: str, ticket_id: str, *, agent: str, link_base: str | None
) -> Mapping[str, str] | None:
    """Reads the values of the placeholders for an answer to a ticket; None if the workspace has no such ticket.

    The customer is the sender of the newest mail that a participant wrote, and without one that of the ticket.

    Args:
        agent: The name of the author of the answer; `""` without one.
        link_base: The public URL of the dashboard.
    """
    row = await executor.fetch_one("placeholder_values", ticket_id=ticket_id, workspace_id=workspace_id)
    if row is None:
        return None
    local_time = LocalTime(row["timezone"], row["locale"])
    return {
        "name": row["from_name"],
        "email": row["from_address"],
        "subject": row["subject"],
        "date": local_time.format_date(row["received_at"]),
        "agent": agent,
        "ticket": str(row["number"]),
        "alias": row["address"],
        "link": format_link(link_base, ticket_id),
    }


def format_link(link_base: str | None, ticket_id: str) -> str:
    return "" if link_base is None else f"{link_base}/tickets/{ticket_id}"
