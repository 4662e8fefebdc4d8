"""The state of a ticket as a post shows it: rows of labels and values, and a hash that identifies them. Pure."""

from __future__ import annotations

import hashlib
import json

from router.enumerations import TICKET_STATUS
from router.store.database import Row

TicketState = tuple[tuple[str, str], ...]


def from_row(row: Row) -> TicketState:
    """Builds the rows from the columns of the fragment `ticket_state` in `posts.sql`."""
    return (
        ("Status", TICKET_STATUS.label(row["status"])),
        ("Assignee", row["assignee_name"] or row["assignee_email"] or "Unassigned"),
    )


def hash_state(state: TicketState) -> str:
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()[:32]
