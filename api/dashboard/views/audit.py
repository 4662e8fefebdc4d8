"""`/manage/audit`: the audit log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from api.dashboard import display_names, manage
from api.dashboard.page import HtmlPage, NavLink, PageRoute, Visit
from router.admin.audit import is_automatic
from router.model import AuditEntry

_FOLDERS = {
    "dom": "/manage/domains",
    "alias": "/manage/aliases",
    "int": "/manage/integrations",
    "user": "/manage/users",
    "ticket": "/tickets",
}
_NOUNS = {"key": "API key"}
_VERBS = {
    "create": "added",
    "change": "changed",
    "delete": "removed",
    "verify": "verified",
    "unverify": "unverified",
    "lose": "verified by another workspace",
    "test": "tested",
    "revoke": "revoked",
    "rotate": "rotated",
    "replay": "retried",
    "password_link": "password link created",
    "sign_in": "signed in",
    "sign_in_failed": "sign-in failed",
    "sign_in_limited": "sign-in rate-limited",
}


async def show_list(visit: Visit) -> HtmlPage:
    batch = await visit.services.audit.list(visit.actor, limit=manage.PER_PAGE, cursor=visit.query.get("cursor"))
    names = await display_names.resolve(visit, (entry.user_id for entry in batch.items))
    return manage.list_page(
        visit,
        "audit.html",
        "Audit log",
        batch,
        actors={entry.id: _actor_name(entry, names) for entry in batch.items},
        details={entry.id: _detail_items(entry.detail) for entry in batch.items},
        actions={entry.id: _describe_action(entry.action) for entry in batch.items},
        paths={entry.id: _target_path(entry.action, entry.target) for entry in batch.items},
    )


def _actor_name(entry: AuditEntry, names: Mapping[str, str]) -> str:
    """Returns the user's name. Without a user, returns one of three texts.

    `System` stands for an automatic change, `Unknown` for a failed sign-in and `Operator` for a command.
    """
    if entry.user_id is not None:
        return names[entry.user_id]
    if is_automatic(entry.action, json.loads(entry.detail)):
        return "System"
    return "Unknown" if entry.address else "Operator"


def _describe_action(action: str) -> str:
    noun, _, verb = action.partition(".")
    return f"{_NOUNS.get(noun, noun.replace('_', ' '))} {_VERBS.get(verb, verb)}"


def _target_path(action: str, target: str) -> str:
    if action.endswith(".delete"):
        return ""
    folder = _FOLDERS.get(target.partition("_")[0], "")
    return f"{folder}/{target}" if folder else ""


def _detail_items(detail: str) -> list[tuple[str, Any]]:
    items: dict[str, Any] = {}
    for name, value in json.loads(detail).items():
        items |= value if isinstance(value, dict) else {name: value}
    return [(name, _format_value(value)) for name, value in items.items()]


def _format_value(value: object) -> object:
    match value:
        case bool():
            return "yes" if value else "no"
        case None:
            return "(removed)"
        case list():
            return ", ".join(map(str, value))
        case _:
            return value


NAV_LINKS = (NavLink("Audit log", "/manage/audit", "admin", 80, parent="/manage"),)
PAGES = (PageRoute("GET", "/manage/audit", show_list, "admin", compress=True),)
