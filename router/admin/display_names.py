"""The names of users and integrations, for any number of ids: one query for each `MAX_IDS` of them, none for no id."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from router.model import Actor
from router.store.database import Database

QUERY_MAX_IDS = 1000  # of one query


@dataclass(frozen=True, slots=True)
class DisplayName:
    """name: `""` for a user without one; email: `""` for an integration."""

    name: str
    email: str


class DisplayNameService:
    """Finds names in the actor's workspace alone."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def resolve(self, actor: Actor, user_and_integration_ids: Iterable[str | None]) -> Mapping[str, DisplayName]:
        """The names by id. An id that no longer exists is left out, None too."""
        wanted = sorted({each for each in user_and_integration_ids if each is not None})
        found: dict[str, DisplayName] = {}
        for start in range(0, len(wanted), QUERY_MAX_IDS):
            asked = json.dumps(wanted[start : start + QUERY_MAX_IDS])
            rows = await self._database.fetch_all("display_names", ids=asked, workspace_id=actor.workspace_id)
            found.update((row["id"], DisplayName(row["name"], row["email"])) for row in rows)
        return found
