"""Drafts: texts that a user has not sent yet. Each user sees only their own."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from router.admin import validation
from router.admin.fetch import fetch_by_id
from router.clock import Clock
from router.enumerations import DRAFT_KIND, DraftKind
from router.errors import Refused
from router.model import Actor, Micros, Ticket, User
from router.store.database import Database, QueryExecutor, fetch_model


@dataclass(frozen=True, slots=True)
class Draft:
    """A text that a user has not sent yet."""

    kind: DraftKind
    text: str
    saved_at: Micros


class DraftService:
    """Manages the drafts of the actor's user. Raises `Refused` for an actor without a user."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def get(self, actor: Actor, ticket_id: str, kind: str) -> Draft | None:
        valid_kind, user_id = DRAFT_KIND.parse(kind), _require_user_id(actor)
        ticket = await fetch_by_id(self._database, actor, Ticket, "ticket_by_id", ticket_id)
        return await fetch_model(
            self._database, Draft, "draft_find", user_id=user_id, ticket_id=ticket.id, kind=valid_kind
        )

    async def save(self, actor: Actor, ticket_id: str, kind: str, text: str) -> Draft | None:
        """Saves a draft instead of an earlier one. A blank text deletes it; then the result is None."""
        valid_kind, user_id = DRAFT_KIND.parse(kind), _require_user_id(actor)
        if not text.strip():
            await self.delete(actor, ticket_id, kind)
            return None
        valid_text = validation.validate_text(text, "text")
        async with self._database.transaction() as transaction:
            await fetch_model(transaction, User, "user_lock", id=user_id, workspace_id=actor.workspace_id)
            ticket = await fetch_by_id(transaction, actor, Ticket, "ticket_lock", ticket_id)
            draft = Draft(valid_kind, valid_text, self._clock.now())
            await transaction.execute("draft_save", user_id=user_id, ticket_id=ticket.id, **asdict(draft))
        return draft

    async def delete(self, actor: Actor, ticket_id: str, kind: str) -> None:
        """Deletes a draft, if there is one."""
        valid_kind, user_id = DRAFT_KIND.parse(kind), _require_user_id(actor)
        ticket = await fetch_by_id(self._database, actor, Ticket, "ticket_by_id", ticket_id)
        await self._database.execute("draft_delete", user_id=user_id, ticket_id=ticket.id, kind=valid_kind)


async def delete_sent(transaction: QueryExecutor, actor: Actor, ticket_id: str, kind: str, text: str) -> None:
    """Deletes the draft of a text that is being sent.

    A request with an API key may have nothing to do with what its user writes in the dashboard. So it deletes only a
    draft with the same text.
    """
    values = {"user_id": actor.user_id or "", "ticket_id": ticket_id, "kind": kind}
    if actor.key_id is None:
        await transaction.execute("draft_delete", **values)
    else:
        await transaction.execute("draft_delete_equal", **values, text=text)


def _require_user_id(actor: Actor) -> str:
    if actor.user_id is None:
        raise Refused("invalid_request", "Only a user has drafts")
    return actor.user_id
