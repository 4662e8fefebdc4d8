"""The state of a ticket as a post shows it: rows of labels and values, and a hash that identifies them. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from router.choice import Choice
from router.enumerations import TICKET_CHOICES
from router.store.database import Row
from router.tag import join_names

TicketState = tuple[tuple[str, str], ...]


def from_row(row: Row) -> TicketState:
    """Builds the rows from the columns of the fragments `ticket_state` and `tag_names` in `posts.sql`.

    Default values are not shown.
    """
    spam = [("Spam", row["spam_reason"])] if row["spam"] else []
    assignee = row["assignee_name"] or row["assignee_email"] or "Unassigned"
    tags = [("Tags", join_names(row["tag_names"].split("\n")))] if row["tag_names"] else []
    return (*spam, *_choice_rows(row, TICKET_CHOICES), ("Assignee", assignee), *tags)


def read_marks(row: Row) -> TicketState:
    """Builds the rows of the enumerations that differ from their default."""
    return tuple(_choice_rows(row, (choice for choice in TICKET_CHOICES if choice.default is not None)))


def _choice_rows(row: Row, choices: Iterable[Choice[Any]]) -> Iterable[tuple[str, str]]:
    values = ((choice, row[choice.name]) for choice in choices)
    return ((choice.name.capitalize(), choice.label(value)) for choice, value in values if value != choice.default)


def hash_row(row: Row) -> str:
    """Returns a hash of what an update can change: the rows that `from_row` builds, and the results of the checks."""
    shown = (from_row(row), row["warning"] or "", row["check_results"] or "")
    return hashlib.sha256(json.dumps(shown).encode()).hexdigest()[:32]
