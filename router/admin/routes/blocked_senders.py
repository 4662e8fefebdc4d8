"""The blocked senders of a workspace: addresses, domains (`@spam.example`) and networks."""

from __future__ import annotations

from dataclasses import dataclass

from router.admin import audit, paging, validation
from router.admin.paging import DEFAULT_LIMIT, Page
from router.clock import Clock
from router.errors import Refused, not_found_error
from router.filters import TextFilter
from router.model import Actor, Micros
from router.routing.senders import normalize_entry
from router.store.database import Database, fetch_models

_ALL_SENDERS = TextFilter()
MAX_BLOCKED_SENDERS = 1000  # for each workspace; SMTP servers cache the entries in memory


@dataclass(frozen=True, slots=True)
class BlockedSender:
    """A sender whose mail a workspace refuses: an address, `@domain` or a network."""

    sender: str
    created_at: Micros


class BlockedSenderService:
    """Manages the blocked senders of the actor's workspace."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def list(
        self,
        actor: Actor,
        sender_filter: TextFilter = _ALL_SENDERS,
        *,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
    ) -> Page[BlockedSender]:
        """Lists the blocked senders in alphabetical order."""
        request = paging.alphabetical_page_request(limit, cursor)
        rows = await fetch_models(
            self._database,
            BlockedSender,
            "blocked_sender_page",
            workspace_id=actor.workspace_id,
            after=request.position,
            limit=request.row_limit,
            **sender_filter.parameters(),
        )
        return request.to_page(rows, lambda blocked: blocked.sender)

    async def list_all(self, workspace_id: str) -> tuple[str, ...]:
        return tuple(
            row["sender"] for row in await self._database.fetch_all("blocked_sender_list", workspace_id=workspace_id)
        )

    async def create(self, actor: Actor, sender: str) -> BlockedSender:
        """Raises `conflict` if the sender is already blocked or the limit is reached."""
        blocked = BlockedSender(_normalize(sender), self._clock.now())
        async with self._database.transaction() as transaction:
            row = await transaction.fetch_one("blocked_sender_count", workspace_id=actor.workspace_id)
            if row is not None and row["senders"] >= MAX_BLOCKED_SENDERS:
                raise Refused(
                    "conflict",
                    f"The limit of {MAX_BLOCKED_SENDERS} blocked senders is reached: "
                    "unblock senders, or replace them with their domain or network",
                )
            added = await transaction.execute(
                "blocked_sender_insert",
                workspace_id=actor.workspace_id,
                sender=blocked.sender,
                created_at=blocked.created_at,
            )
            if not added:
                raise Refused("conflict", f"{blocked.sender} is already blocked", "sender")
            await transaction.execute("routing_increment_version")
            await audit.record(transaction, actor, blocked.created_at, "blocked_sender.create", blocked.sender)
        return blocked

    async def delete(self, actor: Actor, sender: str) -> None:
        normalized = _normalize(sender)
        async with self._database.transaction() as transaction:
            if not await transaction.execute(
                "blocked_sender_delete", workspace_id=actor.workspace_id, sender=normalized
            ):
                raise not_found_error("Blocked sender")
            await transaction.execute("routing_increment_version")
            await audit.record(transaction, actor, self._clock.now(), "blocked_sender.delete", normalized)


def _normalize(sender: str) -> str:
    line = validation.validate_line(sender, "sender", max_length=320)
    try:
        return normalize_entry(line)
    except ValueError as error:
        raise Refused("invalid_request", f"sender {error}", "sender") from None
