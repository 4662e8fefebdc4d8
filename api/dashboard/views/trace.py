"""The way of one mail, from the connection to the integration: found by what people have in hand, shown in time."""

from __future__ import annotations

from api.dashboard import display_names
from api.dashboard.page import Html, Page, See, Visit
from router.admin.tickets.messages import MAX_RESULTS
from router.errors import not_found

PATH = "/activity/trace"


async def look_up(visit: Visit) -> Html | See:
    """One mail is shown at once; of several one chooses."""
    q = visit.query.get("q", "").strip()
    found = await visit.services.messages.find(visit.actor, q) if q else ()
    if len(found) == 1:
        return See(f"{PATH}/{found[0].id}")
    return Html("trace_search.html", "Trace a message", {"q": q, "found": found, "most": MAX_RESULTS})


async def show(visit: Visit) -> Html:
    """All that happened to a mail."""
    trace = await visit.services.messages.get_trace(visit.actor, visit.ids["id"])
    found = await visit.services.messages.find(visit.actor, trace.message_id)
    if not found:  # erased a moment ago
        raise not_found("Message")
    integrations = (str(event.detail["integrationId"]) for event in trace.events if event.detail.get("integrationId"))
    context = {
        "message": found[0],
        "trace": trace,
        "tickets": await visit.services.tickets.get_many(visit.actor, trace.ticket_ids),
        "names": await display_names.resolve(visit, integrations),
    }
    return Html("trace.html", "Message trace", context)


PAGES = (
    Page("GET", PATH, look_up, "viewer"),
    Page("GET", f"{PATH}/{{id}}", show, "viewer"),
)
