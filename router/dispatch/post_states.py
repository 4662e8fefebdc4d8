"""The states of the tickets whose posts were sent or changed, as statements of the outbox transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from router.dispatch import ticket_state
from router.dispatch.delivery_batch import CompletedBatch, DeliveryBatch, StateShown
from router.model import Micros
from router.store.database import Statement, StatementGenerator


@dataclass(frozen=True, slots=True)
class CurrentState:
    """What the post of a ticket should show and what it shows, when the delivery expires, and the newest change.

    Attributes:
        rendered_hash: The hash of the state of the ticket.
        post_hash: The hash of the state that the post shows; None without a post.
    """

    rendered_hash: str
    post_hash: str | None
    expires_at: Micros
    changed_at: Micros

    def was_changed_since(self, batch: DeliveryBatch) -> bool:
        """Whether the ticket was changed, or a late outcome was recorded, since the claim of the batch."""
        return self.rendered_hash != batch.state_hash or self.post_hash != batch.post_hash


def lock_tickets(completed: Sequence[CompletedBatch]) -> StatementGenerator[set[str]]:
    """Locks the tickets of posts: no other transaction changes what the posts show.

    Returns the ids of the integrations whose outcome must wait, because another transaction has locked its ticket.
    """
    tickets = {batch.integration.id: batch.deliveries[0].ticket_id for batch in _state_batches(completed)}
    rows = yield Statement("post_lock_tickets", [{"ticket_id": each} for each in dict.fromkeys(tickets.values())])
    locked = {row["id"] for row in rows}
    return {integration_id for integration_id, ticket_id in tickets.items() if ticket_id in locked}


def _state_batches(completed: Sequence[CompletedBatch]) -> list[DeliveryBatch]:
    """Returns the batches that may have changed which state a message shows."""
    return [each.batch for each in completed if each.batch.is_update or isinstance(each.outcome, StateShown)]


def read_states(completed: Sequence[CompletedBatch]) -> StatementGenerator[dict[str, CurrentState]]:
    """Returns the current states by the id of the delivery; an erased ticket has none."""
    batches = _state_batches(completed)
    rows = yield Statement("post_states", [{"delivery_id": batch.deliveries[0].id} for batch in batches])
    return {
        row["delivery_id"]: CurrentState(
            ticket_state.hash_row(row), row["rendered_hash"], row["expires_at"], row["changed_at"]
        )
        for row in rows
    }
