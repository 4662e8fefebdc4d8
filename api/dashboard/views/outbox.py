"""`/activity/outbox`: the replies of the workspace with their states."""

from __future__ import annotations

from api.dashboard.change_feed import newest_id
from api.dashboard.list_filters import FilterInput
from api.dashboard.page import HtmlPage, NavLink, PageRoute, Redirect, Visit
from api.dashboard.ticket_replies import ShownReply
from router.enumerations import REPLY_STATE

PER_PAGE = 50
OUTBOX_PATH = "/activity/outbox"


async def show_outbox(visit: Visit) -> HtmlPage:
    newest = newest_id(await visit.services.tickets.list_newest_ids(visit.actor))
    state = visit.query.get("state", "").strip()
    page = await visit.services.replies.list_outbox(
        visit.actor, state=state or None, limit=PER_PAGE, cursor=visit.query.get("cursor")
    )
    shown = [ShownReply(each) for each in page.items]
    is_first_page = "cursor" not in visit.query
    context = {
        "newest_id": newest,
        "replies": shown,
        "is_changing": is_first_page and any(each.is_changing for each in shown),
        "smarthosts": await visit.services.attention.list_failing_smarthosts(visit.actor),
        "next_cursor": page.next_cursor,
        "first_page": is_first_page,
        "filters": {"state": state} if state else {},
        "fields": [FilterInput("state", "State", state, REPLY_STATE.options(), "?")],
    }
    return HtmlPage("outbox.html", "Outbox", context)


async def cancel(visit: Visit) -> Redirect:
    await visit.services.replies.cancel(visit.actor, visit.path_params["id"])
    return Redirect(OUTBOX_PATH, flash="reply-canceled")


async def retry(visit: Visit) -> Redirect:
    await visit.services.replies.retry(visit.actor, visit.path_params["id"])
    return Redirect(OUTBOX_PATH, flash="reply-retried")


NAV_LINKS = (NavLink("Outbox", OUTBOX_PATH, "viewer", 33, parent="/activity"),)
PAGES = (
    PageRoute("GET", OUTBOX_PATH, show_outbox, "viewer", compress=True),
    PageRoute("POST", f"{OUTBOX_PATH}/{{id}}/cancel", cancel, "agent", form_view=show_outbox),
    PageRoute("POST", f"{OUTBOX_PATH}/{{id}}/retry", retry, "agent", form_view=show_outbox),
)
