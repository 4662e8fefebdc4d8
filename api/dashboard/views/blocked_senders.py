"""`/manage/blocked-senders`: senders whose mail is rejected or held as spam."""

from __future__ import annotations

from api.dashboard import manage
from api.dashboard.page import HtmlPage, NavLink, PageRoute, Redirect, Visit
from router.admin.routes.listed_senders import read_lines
from router.enumerations import BLOCK_ACTION
from router.errors import Refused
from router.filters import TextFilter

_PATH = "/manage/blocked-senders"


async def show_list(visit: Visit) -> HtmlPage:
    wanted = manage.requested_filter(visit, TextFilter)
    batch = await visit.services.blocked_senders.list(
        visit.actor, wanted, limit=manage.PER_PAGE, cursor=visit.query.get("cursor")
    )
    return manage.list_page(visit, "blocked_senders.html", "Blocked senders", batch, wanted, block_action=BLOCK_ACTION)


async def create(visit: Visit) -> Redirect:
    result = await visit.services.blocked_senders.create_many(
        visit.actor,
        read_lines(visit.form.get("senders", "")),
        action=visit.form.get("action", "refuse"),
        note=visit.form.get("note", ""),
    )
    if not result.added:
        raise Refused("conflict", "senders: all are already blocked", "senders")
    number = len(result.added)
    return Redirect(_PATH, flash="sender-blocked" if number == 1 else "senders-blocked", number=number)


async def confirm_delete(visit: Visit) -> HtmlPage:
    sender = visit.form.get("sender") or visit.query.get("sender", "")
    return manage.confirmation_page(
        f"Unblock {sender}?",
        [
            "Mail from this sender is then accepted, unless another entry blocks it. "
            "Messages rejected while the sender was blocked cannot be recovered. Tickets held as spam stay spam."
        ],
        action=f"{_PATH}/remove",
        label="Unblock sender",
        cancel_path=_PATH,
        sender=sender,
    )


async def delete(visit: Visit) -> Redirect:
    await visit.services.blocked_senders.delete(visit.actor, visit.form.get("sender", ""))
    return Redirect(_PATH, flash="sender-unblocked")


NAV_LINKS = (
    NavLink("Blocked senders", _PATH, "viewer", 50, parent="/manage", hint="Whose mail is rejected or held as spam"),
)
FLASH_MESSAGES = {
    "sender-blocked": "Sender blocked.",
    "senders-blocked": "{n} senders blocked.",
    "sender-unblocked": "Sender unblocked.",
}
PAGES = (
    PageRoute("GET", _PATH, show_list, "viewer", compress=True),
    PageRoute("POST", _PATH, create, "admin", form_view=show_list),
    PageRoute("GET", f"{_PATH}/remove", confirm_delete, "admin", compress=True),
    PageRoute("POST", f"{_PATH}/remove", delete, "admin", form_view=confirm_delete),
)
