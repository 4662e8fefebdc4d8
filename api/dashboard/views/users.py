"""People: who may sign in, and as what."""

from __future__ import annotations

from api.dashboard import manage, timezones
from api.dashboard.page import Html, Page, See, Visit
from router.admin.access.users import ROLES
from router.errors import Refused


async def page(visit: Visit) -> Html:
    found = await visit.services.users.list(visit.actor, limit=manage.PER_PAGE, cursor=visit.query.get("cursor"))
    return manage.list_page(visit, "users.html", "Users", found, roles=ROLES)


async def create(visit: Visit) -> See:
    user = await visit.services.users.create(
        visit.actor,
        email=visit.form.get("email", ""),
        name=visit.form.get("name", "").strip(),
        role=visit.form.get("role", ""),
        password=visit.form.get("password") or None,
    )
    return See(f"/manage/users/{user.id}", note="user-added")


async def show(visit: Visit) -> Html:
    user = await visit.services.users.get(visit.actor, visit.ids["id"])
    workspace = await visit.services.workspaces.get(visit.actor)
    return manage.manage_page(
        visit,
        "user.html",
        user.name or user.email,
        user=user,
        roles=ROLES,
        timezones=timezones.options(user, workspace),
    )


async def change(visit: Visit) -> See:
    await visit.services.users.change(
        visit.actor,
        visit.ids["id"],
        name=visit.form.get("name", "").strip(),
        role=visit.form.get("role", ""),
        **timezones.change(visit.form),
    )
    return _back(visit, "user-changed")


async def set_password(visit: Visit) -> See:
    """Ends the user's sessions."""
    await visit.services.users.change(visit.actor, visit.ids["id"], password=visit.form.get("password", ""))
    return _back(visit, "user-password-set")


async def set_disabled(visit: Visit) -> See:
    """`disabled`: `true` or `false`. A form without it must let nobody in again."""
    said = visit.form.get("disabled")
    if said not in ("true", "false"):
        raise Refused("invalid_request", "disabled must be true or false", "disabled")
    disabled = said == "true"
    await visit.services.users.change(visit.actor, visit.ids["id"], disabled=disabled)
    return _back(visit, "user-disabled" if disabled else "user-enabled")


async def ask(visit: Visit) -> Html:
    user = await visit.services.users.get(visit.actor, visit.ids["id"])
    path = f"/manage/users/{user.id}"
    says = ["All API keys and sessions of the user end immediately. Their unresolved tickets become unassigned."]
    if user.id == visit.actor.user_id:
        says.append("This is your own account: you will be signed out.")
    return manage.confirmation_page(
        visit,
        f"Remove {user.name or user.email}?",
        says,
        action=f"{path}/delete",
        label="Remove user",
        cancel_path=path,
    )


async def delete(visit: Visit) -> See:
    await visit.services.users.delete(visit.actor, visit.ids["id"])
    return See("/manage/users", note="user-removed")


def _back(visit: Visit, note: str) -> See:
    return See(f"/manage/users/{visit.ids['id']}", note=note)


NOTES = {
    "user-added": "User added. No email was sent; share the sign-in details yourself.",
    "user-changed": "Changes saved.",
    "user-password-set": "Password set and all sessions of the user ended. Share the new password yourself.",
    "user-disabled": "User disabled. All sessions were ended and all API keys revoked.",
    "user-enabled": "User enabled. Revoked API keys stay revoked.",
    "user-removed": "User removed.",
}
PAGES = (
    Page("GET", "/manage/users", page, "viewer"),
    Page("POST", "/manage/users", create, "admin", again=page),
    Page("GET", "/manage/users/{id}", show, "viewer"),
    Page("POST", "/manage/users/{id}", change, "admin", again=show),
    Page("POST", "/manage/users/{id}/password", set_password, "admin", again=show),
    Page("POST", "/manage/users/{id}/disabled", set_disabled, "admin", again=show),
    Page("GET", "/manage/users/{id}/delete", ask, "admin"),
    Page("POST", "/manage/users/{id}/delete", delete, "admin", again=ask),
)
