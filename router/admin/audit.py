"""The audit log: who changed what.

The entry of a change is written in the same transaction as the change. Entries never contain secrets or message
content.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, timedelta, tzinfo

from router import ids
from router.admin import paging
from router.admin.paging import DEFAULT_LIMIT, Page
from router.enumerations import AUDIT_ACTIONS, AuditAction, AuditGroup
from router.errors import Refused
from router.filters import ME, AuditFilter
from router.local_time import first_second
from router.model import Actor, AuditEntry, Micros
from router.store.database import Database, QueryExecutor, Statement, fetch_models
from router.store.fragments import model_values

# Maximum number of entries that are read for a page with filters other than the days. The next page continues there.
MAX_SCANNED = 10_000
MAX_SEARCH_LENGTH = 200
_ALL_ENTRIES = AuditFilter()
_GROUPS: Mapping[str, AuditGroup] = {
    "create": "create",
    "delete": "delete",
    "revoke": "delete",
    "replay": "run",
    "sign_in": "sign_in",
    "sign_in_failed": "sign_in",
    "sign_in_limited": "sign_in",
    "test": "run",
}


async def record(
    transaction: QueryExecutor, actor: Actor, now: Micros, action: AuditAction, target: str, **details: object
) -> None:
    """Adds an entry.

    Args:
        target: What was changed, usually the id of an object.
        details: JSON values; None is omitted.
    """
    await record_many(transaction, actor, now, action, {target: details})


async def record_many(
    transaction: QueryExecutor,
    actor: Actor,
    now: Micros,
    action: AuditAction,
    targets: Mapping[str, Mapping[str, object]],
) -> None:
    """Adds an entry for each target. `targets` maps them to their details."""
    entries = [
        AuditEntry(
            id=ids.new_id("evt"),
            workspace_id=actor.workspace_id,
            at=now,
            user_id=actor.user_id,
            key_id=actor.key_id,
            address=actor.address,
            action=action,
            target=target,
            detail=json.dumps(
                {name: value for name, value in details.items() if value is not None}, ensure_ascii=False
            ),
        )
        for target, details in targets.items()
    ]
    await transaction.execute_statement(Statement("audit_insert", [model_values(entry) for entry in entries]))


def is_automatic(action: str, detail: Mapping[str, object]) -> bool:
    """Whether an entry without a user records an automatic recheck, or the loss of a domain to another workspace."""
    return action == "domain.lose" or detail.get("by") == "recheck"


class AuditService:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(
        self,
        actor: Actor,
        audit_filter: AuditFilter = _ALL_ENTRIES,
        *,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
        zone: tzinfo = UTC,
    ) -> Page[AuditEntry]:
        """Lists entries, newest first. `zone` is the time zone of the days of the filter.

        A page is incomplete if `MAX_SCANNED` entries were read for it.
        """
        request = paging.page_request("evt", limit, cursor)
        if audit_filter.until:
            day_after = _parse_day(audit_filter.until, "until") + timedelta(days=1)
            request = replace(request, position=min(request.position, _first_id(day_after, zone)))
        first = _first_id(_parse_day(audit_filter.since, "since"), zone) if audit_filter.since else None
        values = {"workspace_id": actor.workspace_id, "before": request.position}
        end = None
        criteria = _criteria(actor, audit_filter)
        if criteria:
            row = await self._database.fetch_one("audit_scan_end", first=first, scanned=MAX_SCANNED, **values)
            end = None if row is None else str(row["id"])
        rows = await fetch_models(
            self._database,
            AuditEntry,
            "audit_page",
            first=end or first,
            limit=request.row_limit,
            **{"user_id": None, "actions": None, "pattern": None} | criteria,
            **values,
        )
        return request.to_page(rows, lambda entry: entry.id, searched_to=end)


def _criteria(actor: Actor, audit_filter: AuditFilter) -> dict[str, str]:
    """Returns the parameters of the query for the given filters."""
    criteria = {}
    if audit_filter.user_id:
        criteria["user_id"] = actor.user_id or "" if audit_filter.user_id == ME else audit_filter.user_id
    if audit_filter.kind or audit_filter.group:
        criteria["actions"] = f",{','.join(_find_actions(audit_filter.kind, audit_filter.group))},"
    if text := (audit_filter.q or "").strip():
        if len(text) > MAX_SEARCH_LENGTH:
            raise Refused("invalid_request", f"q must have at most {MAX_SEARCH_LENGTH} characters", "q")
        escaped = text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
        criteria["pattern"] = f"%{escaped}%"
    return criteria


def _find_actions(kind: str | None, group: str | None) -> list[AuditAction]:
    return [
        action
        for action in AUDIT_ACTIONS
        if kind in (None, action.partition(".")[0]) and group in (None, _GROUPS.get(action.partition(".")[2], "change"))
    ]


def _parse_day(text: str, field: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise Refused("invalid_request", f"{field} must be a date in the format YYYY-MM-DD", field) from None
    if not date(1970, 1, 2) <= day <= date(9000, 1, 1):
        raise Refused("invalid_request", f"{field} must be a date after 1970 and before 9000", field)
    return day


def _first_id(day: date, zone: tzinfo) -> str:
    return ids.first_id_at("evt", first_second(day, zone) * 1000)
