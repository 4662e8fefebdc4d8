"""`/manage/keys`: API keys. A key is shown only once, in the response to the form that creates it."""

from __future__ import annotations

import secrets
from datetime import date, timedelta, tzinfo

from api.dashboard import display_names, manage, users
from api.dashboard.page import HtmlPage, NavLink, PageRoute, Redirect, Visit
from router.admin.idempotency import StoredResponse
from router.clock import SECOND
from router.enumerations import ROLE
from router.errors import Refused
from router.filters import KeyFilter
from router.local_time import first_second
from router.model import Micros


async def show_list(visit: Visit) -> HtmlPage:
    wanted = manage.requested_filter(visit, KeyFilter)
    batch = await visit.services.keys.list(visit.actor, wanted, limit=manage.PER_PAGE, cursor=visit.query.get("cursor"))
    workspace_users = await users.list_users(visit)
    return manage.list_page(
        visit,
        "keys.html",
        "API keys",
        batch,
        wanted,
        names=await display_names.resolve(visit, (key.user_id for key in batch.items)),
        owners=[user for user in workspace_users if user.disabled_at is None],
        roles=ROLE.options(),
        form_token=secrets.token_urlsafe(16),
    )


async def create(visit: Visit) -> HtmlPage:
    """Creates a key and shows it.

    The response is not a redirect, because it contains the key. The form's token prevents a second key after a reload.
    """
    idempotency = visit.services.idempotency
    claim = await idempotency.claim(f"user:{visit.actor.user_id} /manage/keys", visit.form.get("once", ""), "")
    if isinstance(claim, StoredResponse):
        raise Refused("conflict", "This form was already submitted")
    try:
        new = await visit.services.keys.create(
            visit.actor,
            name=visit.form.get("name", ""),
            role=visit.form.get("role") or None,
            user_id=visit.form.get("userId") or None,
            expires_at=_end_of_day(visit.form.get("expiresAt", ""), (await visit.local_time()).zone),
        )
    except Exception:  # a cancelled request keeps the claim, because it must end without delay
        await idempotency.release(claim)
        raise
    await idempotency.store_response(claim, 201, None)
    return HtmlPage("key.html", "New API key", {"new": new})


def _end_of_day(day: str, zone: tzinfo) -> Micros | None:
    if not day:
        return None
    try:
        return first_second(date.fromisoformat(day) + timedelta(days=1), zone) * SECOND
    except (ValueError, OverflowError):
        raise Refused("invalid_request", "Expiry date must be in the format YYYY-MM-DD", "expiresAt") from None


async def confirm_revoke(visit: Visit) -> HtmlPage:
    key = await visit.services.keys.get(visit.actor, visit.path_params["id"])
    return manage.confirmation_page(
        f"Revoke {key.name}?",
        [f"Requests with {key.hint} are rejected immediately. A revoked key cannot be restored."],
        action=f"/manage/keys/{key.id}/revoke",
        label="Revoke key",
        cancel_path="/manage/keys",
    )


async def revoke(visit: Visit) -> Redirect:
    await visit.services.keys.revoke(visit.actor, visit.path_params["id"])
    return Redirect("/manage/keys", flash="key-revoked")


NAV_LINKS = (NavLink("API keys", "/manage/keys", "viewer", 70, parent="/manage", hint="For programs that use the API"),)
FLASH_MESSAGES = {"key-revoked": "Key revoked."}
PAGES = (
    PageRoute("GET", "/manage/keys", show_list, "viewer"),
    PageRoute("POST", "/manage/keys", create, "admin", form_view=show_list),
    PageRoute("GET", "/manage/keys/{id}/revoke", confirm_revoke, "admin"),
    PageRoute("POST", "/manage/keys/{id}/revoke", revoke, "admin", form_view=confirm_revoke),
)
