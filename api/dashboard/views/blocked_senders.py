"""`/manage/blocked-senders`: senders whose mail is rejected."""

from __future__ import annotations

from api.dashboard import manage
from api.dashboard.page import HtmlPage, NavLink, PageRoute, Redirect, Visit
from router.filters import TextFilter


async def show_list(visit: Visit) -> HtmlPage:
    wanted = manage.requested_filter(visit, TextFilter)
    batch = await visit.services.blocked_senders.list(
        visit.actor, wanted, limit=manage.PER_PAGE, cursor=visit.query.get("cursor")
    )
    return manage.list_page(visit, "blocked_senders.html", "Blocked senders", batch, wanted)


async def create(visit: Visit) -> Redirect:
    await visit.services.blocked_senders.create(visit.actor, visit.form.get("sender", ""))
    return Redirect("/manage/blocked-senders", flash="sender-blocked")


async def confirm_delete(visit: Visit) -> HtmlPage:
    sender = visit.form.get("sender") or visit.query.get("sender", "")
    return manage.confirmation_page(
        f"Unblock {sender}?",
        [
            "Mail from this sender is then accepted, unless another entry blocks it. "
            "Messages rejected while the sender was blocked cannot be recovered."
        ],
        action="/manage/blocked-senders/remove",
        label="Unblock sender",
        cancel_path="/manage/blocked-senders",
        sender=sender,
    )


async def delete(visit: Visit) -> Redirect:
    await visit.services.blocked_senders.delete(visit.actor, visit.form.get("sender", ""))
    return Redirect("/manage/blocked-senders", flash="sender-unblocked")


NAV_LINKS = (
    NavLink(
        "Blocked senders", "/manage/blocked-senders", "viewer", 50, parent="/manage", hint="Whose mail is rejected"
    ),
)
FLASH_MESSAGES = {
    "sender-blocked": "Sender blocked.",
    "sender-unblocked": "Sender unblocked.",
}
PAGES = (
    PageRoute("GET", "/manage/blocked-senders", show_list, "viewer", compress=True),
    PageRoute("POST", "/manage/blocked-senders", create, "admin", form_view=show_list),
    PageRoute("GET", "/manage/blocked-senders/remove", confirm_delete, "admin", compress=True),
    PageRoute("POST", "/manage/blocked-senders/remove", delete, "admin", form_view=confirm_delete),
)
