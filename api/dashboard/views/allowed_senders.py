"""`/manage/allowed-senders`: senders whose mail is neither rejected nor spam."""

from __future__ import annotations

from api.dashboard import manage
from api.dashboard.page import HtmlPage, NavLink, PageRoute, Redirect, Visit
from router.admin.routes.listed_senders import read_lines
from router.errors import Refused
from router.filters import TextFilter

_PATH = "/manage/allowed-senders"


async def show_list(visit: Visit) -> HtmlPage:
    wanted = manage.requested_filter(visit, TextFilter)
    batch = await visit.services.allowed_senders.list(
        visit.actor, wanted, limit=manage.PER_PAGE, cursor=visit.query.get("cursor")
    )
    return manage.list_page(visit, "allowed_senders.html", "Allowed senders", batch, wanted)


def requested_authentication(visit: Visit) -> bool | None:
    """Returns `require_auth` of the form: None for the default, which is different for networks."""
    return False if "anyMessage" in visit.form else None


async def create(visit: Visit) -> Redirect:
    result = await visit.services.allowed_senders.create_many(
        visit.actor,
        read_lines(visit.form.get("senders", "")),
        require_auth=requested_authentication(visit),
        note=visit.form.get("note", ""),
    )
    if not result.added:
        raise Refused("conflict", "senders: all are already allowed", "senders")
    number = len(result.added)
    return Redirect(_PATH, flash="sender-allowed" if number == 1 else "senders-allowed", number=number)


async def confirm_delete(visit: Visit) -> HtmlPage:
    sender = visit.form.get("sender") or visit.query.get("sender", "")
    return manage.confirmation_page(
        f"Remove {sender} from the allowed senders?",
        ["Mail from this sender is then checked like other mail. It is rejected if a blocked sender matches."],
        action=f"{_PATH}/remove",
        label="Remove sender",
        cancel_path=_PATH,
        sender=sender,
    )


async def delete(visit: Visit) -> Redirect:
    await visit.services.allowed_senders.delete(visit.actor, visit.form.get("sender", ""))
    return Redirect(_PATH, flash="sender-removed")


NAV_LINKS = (
    NavLink("Allowed senders", _PATH, "viewer", 48, parent="/manage", hint="Whose mail is neither rejected nor spam"),
)
FLASH_MESSAGES = {
    "sender-allowed": "Sender allowed.",
    "senders-allowed": "{n} senders allowed.",
    "sender-removed": "Sender removed.",
}
PAGES = (
    PageRoute("GET", _PATH, show_list, "viewer", compress=True),
    PageRoute("POST", _PATH, create, "admin", form_view=show_list),
    PageRoute("GET", f"{_PATH}/remove", confirm_delete, "admin", compress=True),
    PageRoute("POST", f"{_PATH}/remove", delete, "admin", form_view=confirm_delete),
)
