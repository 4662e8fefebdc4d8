"""Previews of check policies: what they would have done to the newest messages. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from router.admin import validation
from router.checks import policy
from router.checks.effect import CheckedMessage, CheckEffect, count_effect
from router.checks.results import from_row
from router.model import Actor
from router.store.database import Database, Row

MAX_MESSAGES = 100
# Maximum number of deliveries in which the messages of a preview are searched, to bound its cost.
MAX_SCANNED = 5000


class CheckPreviewService:
    """Previews changes of the settings of a workspace or of an alias.

    `changes` are by field name of `CheckPolicy`. None stands for the default, or for the setting of the workspace.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def preview_workspace(self, actor: Actor, changes: Mapping[str, object]) -> CheckEffect:
        """Aliases that override a setting keep it. Raises `Refused` for an invalid setting."""
        policy.change_overrides("{}", changes)
        return count_effect(
            _build(row, policy.change_overrides(row["workspace_policy"], changes), row["alias_policy"])
            for row in await self._read(actor, None)
        )

    async def preview_alias(self, actor: Actor, alias_id: str, changes: Mapping[str, object]) -> CheckEffect:
        """Raises `Refused` for an invalid setting."""
        validation.validate_id(alias_id, "alias", "Alias")
        policy.change_overrides("{}", changes)
        return count_effect(
            _build(row, row["workspace_policy"], policy.change_overrides(row["alias_policy"], changes))
            for row in await self._read(actor, alias_id)
        )

    async def _read(self, actor: Actor, alias_id: str | None) -> Sequence[Row]:
        return await self._database.fetch_all(
            "check_preview", workspace_id=actor.workspace_id, alias_id=alias_id, scanned=MAX_SCANNED, limit=MAX_MESSAGES
        )


def _build(row: Row, *policies: str) -> CheckedMessage:
    return CheckedMessage(from_row(row), policy.merge(*policies), opens=row["event"] == "opened")
