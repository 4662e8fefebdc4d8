"""API keys. A key's text is on the page that answers its making, and nowhere else; a reload makes no second one."""

from __future__ import annotations

import secrets
from datetime import date, datetime, timedelta, tzinfo

from api.dashboard import display_names, manage, users
from api.dashboard.page import Html, Page, See, Visit
from router.admin.access.users import ROLES
from router.admin.idempotency import StoredResponse
from router.clock import SECOND
from router.errors import Refused
from router.model import Micros


async def page(visit: Visit) -> Html:
    found = await visit.services.keys.list(visit.actor, limit=manage.PER_PAGE, cursor=visit.query.get("cursor"))
    colleagues = await users.list_users(visit)
    return manage.list_page(
        visit,
        "keys.html",
        "API keys",
        found,
        names=await display_names.resolve(visit, (key.user_id for key in found.items)),
        people=[user for user in colleagues if user.disabled_at is None],
        roles=ROLES,
        once=secrets.token_urlsafe(16),
    )


async def create(visit: Visit) -> Html:
    """The answer holds the key, so it cannot be a redirection: what is sent again is refused by its own mark."""
    idempotency = visit.services.idempotency
    begun = await idempotency.claim(f"user:{visit.actor.user_id} /manage/keys", visit.form.get("once", ""), "")
    if isinstance(begun, StoredResponse):
        raise Refused("conflict", "This form was already submitted")
    try:
        new = await visit.services.keys.create(
            visit.actor,
            name=visit.form.get("name", ""),
            role=visit.form.get("role") or None,
            user_id=visit.form.get("userId") or None,
            expires_at=_end_of(visit.form.get("expiresAt", ""), (await visit.local_time()).zone),
        )
    except Exception:  # a request whose time is over is not to wait for the database again: the mark ends by itself
        await idempotency.release(begun)
        raise
    await idempotency.store_response(begun, 201, None)
    return manage.manage_page(visit, "key.html", "New API key", new=new)


def _end_of(day: str, zone: tzinfo) -> Micros | None:
    """The end of a day in the user's time zone; None for no day."""
    if not day:
        return None
    try:
        end = datetime.combine(date.fromisoformat(day) + timedelta(days=1), datetime.min.time(), zone)
        return int(end.timestamp()) * SECOND
    except (ValueError, OverflowError):
        raise Refused("invalid_request", "expiresAt must be a date (YYYY-MM-DD)", "expiresAt") from None


async def ask(visit: Visit) -> Html:
    key = await visit.services.keys.get(visit.actor, visit.ids["id"])
    return manage.confirmation_page(
        visit,
        f"Revoke {key.name}?",
        [f"Requests with {key.hint} are rejected immediately. A revoked key cannot be restored."],
        action=f"/manage/keys/{key.id}/revoke",
        label="Revoke key",
        cancel_path="/manage/keys",
    )


async def revoke(visit: Visit) -> See:
    await visit.services.keys.revoke(visit.actor, visit.ids["id"])
    return See("/manage/keys", note="key-revoked")


NOTES = {"key-revoked": "Key revoked."}
PAGES = (
    Page("GET", "/manage/keys", page, "viewer"),
    Page("POST", "/manage/keys", create, "admin", again=page),
    Page("GET", "/manage/keys/{id}/revoke", ask, "admin"),
    Page("POST", "/manage/keys/{id}/revoke", revoke, "admin", again=ask),
)
