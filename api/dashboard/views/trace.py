"""`/activity/trace`: the events of a message from the SMTP connection to the delivery."""

from __future__ import annotations

from api.dashboard import display_names
from api.dashboard.change_feed import newest_id
from api.dashboard.page import HtmlPage, NavLink, PageRoute, Redirect, Visit
from router.admin.tickets.messages import MAX_RESULTS
from router.errors import not_found_error

TRACE_PATH = "/activity/trace"


async def search(visit: Visit) -> HtmlPage | Redirect:
    q = visit.query.get("q", "").strip()
    messages = await visit.services.messages.find(visit.actor, q) if q else ()
    if len(messages) == 1:
        return Redirect(f"{TRACE_PATH}/{messages[0].id}")
    return HtmlPage("trace_search.html", "Trace a message", {"q": q, "messages": messages, "limit": MAX_RESULTS})


async def show_trace(visit: Visit) -> HtmlPage:
    newest = newest_id(await visit.services.tickets.list_newest_ids(visit.actor))
    trace = await visit.services.messages.get_trace(visit.actor, visit.path_params["id"])
    messages = await visit.services.messages.find(visit.actor, trace.message_id)
    if not messages:  # the message was erased after its trace was read
        raise not_found_error("Message")
    integrations = (str(event.detail["integrationId"]) for event in trace.events if event.detail.get("integrationId"))
    context = {
        "message": messages[0],
        "trace": trace,
        "newest_id": newest,
        "is_pending": any(event.detail.get("state") == "pending" for event in trace.events),
        "tickets": await visit.services.tickets.get_many(visit.actor, trace.ticket_ids),
        "names": await display_names.resolve(visit, integrations),
    }
    return HtmlPage("trace.html", "Message trace", context)


NAV_LINKS = (NavLink("Trace a message", TRACE_PATH, "viewer", 34, parent="/activity"),)
PAGES = (
    PageRoute("GET", TRACE_PATH, search, "viewer", compress=True),
    PageRoute("GET", f"{TRACE_PATH}/{{id}}", show_trace, "viewer", compress=True),
)
