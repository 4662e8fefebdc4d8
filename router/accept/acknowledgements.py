"""Queues the new tickets whose alias acknowledges mail. The deliver role decides whether they are acknowledged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from router.accept.incoming import AcceptEntry
from router.store.database import Statement, StatementGenerator


def queue_acknowledgements(by_ticket: Mapping[str, Sequence[AcceptEntry]]) -> StatementGenerator[None]:
    """Queues the tickets that a message of a person has opened. Their rows must exist.

    Automatic mail is never acknowledged (RFC 3834 section 2). Without such an alias, nothing is executed.
    """
    opened = [
        entries[0]
        for entries in by_ticket.values()
        if entries[0].target.acknowledges
        and not entries[0].joined_by
        and entries[0].message.reverse_path
        and not entries[0].message.automatic
    ]
    if opened:
        yield Statement(
            "accept_queue_acknowledgement",
            [
                {
                    "ticket_id": entry.ticket_id,
                    "message_id": entry.message.id,
                    "queued_at": entry.message.received_at,
                }
                for entry in opened
            ],
        )
