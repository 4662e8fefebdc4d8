"""`/tickets/{id}/tags`: adds tags to a ticket and removes them."""

from __future__ import annotations

from api.dashboard.page import HtmlPage, PageRoute, Redirect, Visit
from api.dashboard.views.ticket import list_query, show_ticket, ticket_path
from router.admin.paging import MAX_LIMIT


async def show_tags(visit: Visit) -> HtmlPage:
    ticket = (await visit.services.tickets.get_timeline(visit.actor, visit.path_params["id"])).ticket
    known = await visit.services.tickets.tags.list_uncounted(
        visit.actor, limit=MAX_LIMIT, cursor=visit.query.get("cursor")
    )
    context = {
        "ticket": ticket,
        "list_query": list_query(visit),
        "others": [tag for tag in known.items if tag not in ticket.tags],
        "next_cursor": known.next_cursor,
        "first_page": "cursor" not in visit.query,
    }
    return HtmlPage("ticket_tags.html", f"Tags of #{ticket.number}", context)


async def change_tags(visit: Visit) -> Redirect:
    """Adds or removes one tag. The field `page` names the page to return to."""
    add, remove = visit.form.get("add", ""), visit.form.get("remove", "")
    await visit.services.tickets.tags.tag_ticket(
        visit.actor, visit.path_params["id"], add=[add] if add or not remove else [], remove=[remove] if remove else []
    )
    page = "/tags" if visit.form.get("page") == "tags" else ""
    return Redirect(ticket_path(visit, page), flash="tags-changed")


async def show_form(visit: Visit) -> HtmlPage:
    """Shows the page whose form was submitted."""
    return await (show_tags(visit) if visit.form.get("page") == "tags" else show_ticket(visit))


FLASH_MESSAGES = {"tags-changed": "Tags changed."}
PAGES = (
    PageRoute("GET", "/tickets/{id}/tags", show_tags, "agent", compress=True),
    PageRoute("POST", "/tickets/{id}/tags", change_tags, "agent", form_view=show_form),
)
