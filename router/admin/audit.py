"""The audit log: who changed what.

The entry of a change is written in the same transaction as the change. Entries never contain secrets or message
content.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from router import ids
from router.admin.fetch import fetch_page
from router.admin.paging import DEFAULT_LIMIT, Page
from router.model import Actor, AuditEntry, Micros
from router.store.database import Database, QueryExecutor
from router.store.fragments import model_values


async def record(
    transaction: QueryExecutor, actor: Actor, now: Micros, action: str, target: str, **details: object
) -> None:
    """Adds an entry.

    Args:
        action: `noun.verb`.
        target: What was changed, usually the id of an object.
        details: JSON values; None is omitted.
    """
    entry = AuditEntry(
        id=ids.new_id("evt"),
        workspace_id=actor.workspace_id,
        at=now,
        user_id=actor.user_id,
        key_id=actor.key_id,
        address=actor.address,
        action=action,
        target=target,
        detail=json.dumps({name: value for name, value in details.items() if value is not None}, ensure_ascii=False),
    )
    await transaction.execute("audit_insert", **model_values(entry))


def is_automatic(action: str, detail: Mapping[str, object]) -> bool:
    """Whether an entry without a user records an automatic recheck, or the loss of a domain to another workspace."""
    return action == "domain.lose" or detail.get("by") == "recheck"


class AuditService:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, actor: Actor, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None) -> Page[AuditEntry]:
        return await fetch_page(self._database, actor, AuditEntry, "audit_page", limit=limit, cursor=cursor)
