"""`/set-password`: the page of a password link, on which an invited user or one who forgot the password sets one."""

from __future__ import annotations

from api.dashboard.page import HtmlPage, PageResult, PageRoute, Redirect, Visit
from api.dashboard.views.sign_in import start_session
from api.dashboard.views.tickets import INBOX
from router.admin.access.password_links import PATH
from router.errors import Refused


async def show_form(visit: Visit) -> HtmlPage:
    """Shows the form. Does not use the link, because mail scanners and link previews open it too."""
    token = visit.form.get("token") or visit.query.get("token", "")
    try:
        user = await visit.services.password_links.find_user(token, address=visit.client_address)
    except Refused as refusal:
        return _invalid_link_page(refusal)
    return HtmlPage("set_password.html", "Set your password", {"user": user, "token": token, "path": PATH})


async def set_password(visit: Visit) -> PageResult:
    """Sets the password, which uses the link, and signs the user in."""
    try:
        user = await visit.services.password_links.set_password(
            visit.form.get("token", ""), visit.form.get("password", ""), address=visit.client_address
        )
    except Refused as refusal:
        return _invalid_link_page(refusal)
    new = await visit.services.sessions.start(user, address=visit.client_address)
    return await start_session(visit, new, Redirect(INBOX, flash="password-chosen"))


def _invalid_link_page(refusal: Refused) -> HtmlPage:
    """Returns the same page for expired, used and unknown links. Raises any other `Refused`."""
    if refusal.code != "not_found":
        raise refusal
    return HtmlPage("invalid_link.html", "This link is not valid", {"reason": refusal.message}, status=404)


FLASH_MESSAGES = {"password-chosen": "Your password is set and you are signed in."}
PAGES = (
    PageRoute("GET", PATH, show_form, None),
    PageRoute("POST", PATH, set_password, None, form_view=show_form),
)
