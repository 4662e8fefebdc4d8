"""`/manage/users`: users, their roles, passwords and access."""

from __future__ import annotations

from urllib.parse import urlsplit

from api.dashboard import manage, timezones
from api.dashboard.page import HtmlPage, NavLink, PageRoute, Redirect, Visit
from router.admin.access.password_links import PasswordLink
from router.enumerations import ROLE
from router.errors import Refused
from router.filters import UserFilter
from router.model import User
from router.network import is_loopback


async def show_list(visit: Visit) -> HtmlPage:
    wanted = manage.requested_filter(visit, UserFilter)
    batch = await visit.services.users.list(
        visit.actor, wanted, limit=manage.PER_PAGE, cursor=visit.query.get("cursor")
    )
    return manage.list_page(visit, "users.html", "Users", batch, wanted, roles=ROLE.options())


async def create(visit: Visit) -> Redirect:
    user = await visit.services.users.create(
        visit.actor,
        email=visit.form.get("email", ""),
        name=visit.form.get("name", "").strip(),
        role=visit.form.get("role", ""),
        password=visit.form.get("password") or None,
    )
    return Redirect(f"/manage/users/{user.id}", flash="user-added")


async def invite(visit: Visit) -> HtmlPage:
    """Invites a user and shows the link, unless it was mailed.

    The response is not a redirect, because it contains the link. A repeated form is refused: the email address is in
    use.
    """
    if visit.form.get("password"):
        raise Refused("invalid_request", "password must be empty: an invited user chooses it", "password")
    invitation = await visit.services.users.invite(
        visit.actor,
        email=visit.form.get("email", ""),
        name=visit.form.get("name", "").strip(),
        role=visit.form.get("role", ""),
    )
    return link_page("Invitation", invitation.user, invitation.link)


async def create_password_link(visit: Visit) -> HtmlPage:
    """Shows a new link, unless it was mailed. If the form is repeated, the last link is valid."""
    user = await visit.services.users.get(visit.actor, visit.path_params["id"])
    mail = visit.form.get("mail") != "false"
    return link_page("Password link", user, await visit.services.users.password_link(visit.actor, user.id, mail=mail))


def link_page(
    kind: str, user: User, link: PasswordLink, *, back_path: str = "", back_label: str = "Back to the user"
) -> HtmlPage:
    context = {
        "user": user,
        "link": link,
        "is_local": is_loopback(urlsplit(link.url or "").hostname or ""),
        "back_path": back_path or f"/manage/users/{user.id}",
        "back_label": back_label,
    }
    return HtmlPage("password_link.html", f"{kind} for {user.name or user.email}", context)


async def show_user(visit: Visit) -> HtmlPage:
    user = await visit.services.users.get(visit.actor, visit.path_params["id"])
    workspace = await visit.services.workspaces.get(visit.actor)
    return HtmlPage(
        "user.html",
        user.name or user.email,
        {"user": user, "roles": ROLE.options(), "timezones": timezones.timezone_options(user, workspace)},
    )


async def change(visit: Visit) -> Redirect:
    await visit.services.users.change(
        visit.actor,
        visit.path_params["id"],
        name=visit.form.get("name", "").strip(),
        role=visit.form.get("role", ""),
        **timezones.timezone_change(visit.form),
    )
    return _redirect_to_user(visit, "user-changed")


async def set_password(visit: Visit) -> Redirect:
    await visit.services.users.change(visit.actor, visit.path_params["id"], password=visit.form.get("password", ""))
    return _redirect_to_user(visit, "user-password-set")


async def set_disabled(visit: Visit) -> Redirect:
    """Requires the field `disabled`, so that an incomplete form does not enable the user."""
    value = visit.form.get("disabled")
    if value not in ("true", "false"):
        raise Refused("invalid_request", "disabled must be true or false", "disabled")
    disabled = value == "true"
    await visit.services.users.change(visit.actor, visit.path_params["id"], disabled=disabled)
    return _redirect_to_user(visit, "user-disabled" if disabled else "user-enabled")


async def confirm_delete(visit: Visit) -> HtmlPage:
    user = await visit.services.users.get(visit.actor, visit.path_params["id"])
    consequences = [
        "The user's sessions end and their API keys are deleted immediately. "
        "Their unresolved tickets become unassigned."
    ]
    if user.id == visit.actor.user_id:
        consequences.append("This is your own account: you will be signed out.")
    return manage.removal_page("user", user.name or user.email, f"/manage/users/{user.id}", consequences)


async def delete(visit: Visit) -> Redirect:
    await visit.services.users.delete(visit.actor, visit.path_params["id"])
    return Redirect("/manage/users", flash="user-removed")


def _redirect_to_user(visit: Visit, flash: str) -> Redirect:
    return Redirect(f"/manage/users/{visit.path_params['id']}", flash=flash)


NAV_LINKS = (
    NavLink("Users", "/manage/users", "viewer", 60, parent="/manage", hint="The people who use this workspace"),
)
FLASH_MESSAGES = {
    "user-added": "User added. No email was sent; share the sign-in details yourself.",
    "user-changed": "Changes saved.",
    "user-password-set": "Password set and all sessions of the user ended. Share the new password yourself.",
    "user-disabled": "User disabled. All sessions were ended and all API keys revoked.",
    "user-enabled": "User enabled. Revoked API keys stay revoked.",
    "user-removed": "User removed.",
}
PAGES = (
    PageRoute("GET", "/manage/users", show_list, "viewer", compress=True),
    PageRoute("POST", "/manage/users", create, "admin", form_view=show_list),
    PageRoute("POST", "/manage/users/invite", invite, "admin", form_view=show_list),
    PageRoute("GET", "/manage/users/{id}", show_user, "viewer"),
    PageRoute("POST", "/manage/users/{id}", change, "admin", form_view=show_user),
    PageRoute("POST", "/manage/users/{id}/password", set_password, "admin", form_view=show_user),
    PageRoute("POST", "/manage/users/{id}/password-link", create_password_link, "admin", form_view=show_user),
    PageRoute("POST", "/manage/users/{id}/disabled", set_disabled, "admin", form_view=show_user),
    PageRoute("GET", "/manage/users/{id}/delete", confirm_delete, "admin", compress=True),
    PageRoute("POST", "/manage/users/{id}/delete", delete, "admin", form_view=confirm_delete),
)
