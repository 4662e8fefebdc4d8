"""Model of senders."""

from __future__ import annotations

from typing import Self

from pydantic import Field

from api.schema.shape import Answer, Time
from api.schema.tickets import TicketAnswer
from router.admin.tickets.senders import SenderView


class SenderTickets(Answer):
    """Number of the newest 1,000 tickets with each status."""

    open: int
    """Tickets that are `open`."""
    in_progress: int = Field(serialization_alias="in_progress")
    """Tickets that are `in_progress`."""
    waiting: int
    """Tickets that are `waiting`."""
    resolved: int
    """Tickets that are `resolved`."""


class SenderAnswer(Answer):
    """A sender and their tickets. An address without tickets has counts of 0."""

    address: str
    """Address, in the form in which addresses are compared."""
    tickets: SenderTickets
    """Number of the newest 1,000 tickets with each status."""
    first_seen_at: Time | None
    """When the first ticket arrived; null without tickets."""
    last_seen_at: Time | None
    """When the newest message in the recent tickets arrived; null without tickets."""
    recent: list[TicketAnswer]
    """Newest 20 tickets, newest first."""

    @classmethod
    def from_view(cls, view: SenderView) -> Self:
        return cls.from_model(view, tickets=SenderTickets.model_validate(view.counts))
