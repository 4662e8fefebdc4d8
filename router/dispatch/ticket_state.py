"""The state of a ticket as a post shows it: rows of labels and values, and a hash that identifies them. Pure."""

from __future__ import annotations

import hashlib
import json

from router.enumerations import TICKET_CHOICES
from router.store.database import Row

TicketState = tuple[tuple[str, str], ...]


def from_row(row: Row) -> TicketState:
    """Builds the rows from the columns of the fragment `ticket_state` in `posts.sql`. Default values are not shown."""
    shown = ((choice, row[choice.name]) for choice in TICKET_CHOICES)
    return (
        *((choice.name.capitalize(), choice.label(value)) for choice, value in shown if value != choice.default),
        ("Assignee", row["assignee_name"] or row["assignee_email"] or "Unassigned"),
    )


def hash_state(state: TicketState) -> str:
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()[:32]
