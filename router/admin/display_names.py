"""Looks up the names of users and integrations by id, with few queries."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from router.model import Actor
from router.store.database import Database

QUERY_MAX_IDS = 1000


@dataclass(frozen=True, slots=True)
class DisplayName:
    """The name and email address to display. `name` is empty for some users, and `email` for integrations."""

    name: str
    email: str


class DisplayNameService:
    """Resolves ids of the actor's workspace only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def resolve(self, actor: Actor, user_and_integration_ids: Iterable[str | None]) -> Mapping[str, DisplayName]:
        ids = sorted({each for each in user_and_integration_ids if each is not None})
        names: dict[str, DisplayName] = {}
        for start in range(0, len(ids), QUERY_MAX_IDS):
            batch = json.dumps(ids[start : start + QUERY_MAX_IDS])
            rows = await self._database.fetch_all("display_names", ids=batch, workspace_id=actor.workspace_id)
            names.update((row["id"], DisplayName(row["name"], row["email"])) for row in rows)
        return names
