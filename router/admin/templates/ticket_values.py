"""The values of placeholders for answers of a user."""

from __future__ import annotations

from collections.abc import Mapping

from router.admin.fetch import find_ticket_id
from router.clock import Clock
from router.errors import not_found_error
from router.local_time import LocalTime
from router.model import Actor, User, Workspace
from router.replies.placeholder_values import format_link, read_values
from router.store.database import Database, fetch_model


class TicketValues:
    """Reads the values. `link_base` is the public URL of the dashboard."""

    def __init__(self, database: Database, clock: Clock, *, link_base: str | None) -> None:
        self._database = database
        self._clock = clock
        self._link_base = link_base

    async def read(self, actor: Actor, ticket_id: str) -> Mapping[str, str]:
        """Reads the values for a ticket, also one that is given by its number. Raises `not_found`."""
        found_id = await find_ticket_id(self._database, actor, ticket_id)
        values = await read_values(
            self._database,
            actor.workspace_id,
            found_id,
            agent=await self._read_name(actor),
            link_base=self._link_base,
        )
        if values is None:
            raise not_found_error("Ticket")
        return values

    async def read_or_sample(self, actor: Actor, ticket_id: str) -> Mapping[str, str]:
        """Reads the values for a ticket; for `""`, returns those of an invented one."""
        return await (self.read(actor, ticket_id) if ticket_id else self._sample(actor))

    async def _sample(self, actor: Actor) -> Mapping[str, str]:
        workspace = await fetch_model(self._database, Workspace, "workspace_by_id", id=actor.workspace_id)
        if workspace is None:
            raise not_found_error("Workspace")
        return {
            "name": "Ada Sample",
            "email": "ada@customer.example",
            "subject": "Where is my order?",
            "date": LocalTime.for_user(None, workspace).format_date(self._clock.now()),
            "agent": await self._read_name(actor),
            "ticket": "42",
            "alias": "support@example.com",
            "link": format_link(self._link_base, "sample"),
        }

    async def _read_name(self, actor: Actor) -> str:
        if actor.user_id is None:
            return ""
        user = await fetch_model(self._database, User, "user_by_id", id=actor.user_id, workspace_id=actor.workspace_id)
        return "" if user is None else user.name
