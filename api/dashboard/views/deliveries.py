"""What needs attention; deliveries to the integrations: what failed, what waits and why, attempts, and retries."""

from __future__ import annotations

from api.dashboard import display_names
from api.dashboard.page import Html, Nav, Page, See, Visit
from router.admin.installation.attention import MAX_COUNTED
from router.admin.paging import MAX_LIMIT
from router.admin.routes.deliveries import MAX_REPLAYED
from router.errors import Refused

PER_PAGE = 50
LIST = "/activity"
# Failed deliveries that are shown among what needs attention.
MOST_FAILED = 10
# Any of these in the query asks for a list.
_LISTED = frozenset({"state", "integrationId", "cursor"})
# The word in the address, as the tabs call it.
STATES = (("dead", "Failed"), ("pending", "Queued"), ("delivered", "Delivered"), ("all", "All"))


async def page(visit: Visit) -> Html:
    """What needs attention; a list of deliveries where one is asked for."""
    if not _LISTED.isdisjoint(visit.query) or visit.problem is not None:
        return await listed(visit)
    health = await visit.services.health.get(visit.actor)
    failed = await visit.services.attention.list_failed(visit.actor, limit=MOST_FAILED + 1)
    context = {
        "integrations": health.failing,
        "parked": await visit.services.attention.count_parked(visit.actor),
        "domains": health.domains,
        "failed": failed[:MOST_FAILED],
        "more_failed": len(failed) > MOST_FAILED,
        "tickets": await visit.services.tickets.get_many(visit.actor, (delivery.ticket_id for delivery in failed)),
        "names": await display_names.resolve(visit, (delivery.integration_id for delivery in failed)),
        "most": MAX_REPLAYED,
        "most_parked": MAX_COUNTED,
    }
    return Html("attention.html", "Needs attention", context)


async def listed(visit: Visit) -> Html:
    """Those that failed, unless another state is asked for."""
    state = _state(visit)
    integration_id = visit.query.get("integrationId", "") or None
    found = await visit.services.deliveries.list(
        visit.actor,
        state=None if state == "all" else state,
        integration_id=integration_id,
        limit=PER_PAGE,
        cursor=visit.query.get("cursor"),
    )
    items = found.items
    newest = await visit.services.integrations.list(visit.actor, limit=MAX_LIMIT)
    choices = {integration.id: integration.name for integration in newest.items}
    context = {
        "deliveries": items,
        "next_cursor": found.next_cursor,
        "first_page": "cursor" not in visit.query,
        "tickets": await visit.services.tickets.get_many(visit.actor, (delivery.ticket_id for delivery in items)),
        "names": choices
        | await display_names.resolve(visit, (d.integration_id for d in items if d.integration_id not in choices)),
        "states": STATES,
        "state": state,
        "integration_id": integration_id,
        "most": MAX_REPLAYED,
    }
    return Html("deliveries.html", "Deliveries", context)


async def show(visit: Visit) -> Html:
    """One delivery with its attempts."""
    view = await visit.services.deliveries.get(visit.actor, visit.ids["id"])
    delivery = view.delivery
    tickets = await visit.services.tickets.get_many(visit.actor, [delivery.ticket_id])
    context = {
        "delivery": delivery,
        "attempts": view.attempts[::-1],
        "ticket": tickets.get(delivery.ticket_id),
        "name": (await display_names.resolve(visit, [delivery.integration_id]))[delivery.integration_id],
    }
    return Html("delivery.html", "Delivery", context)


async def replay(visit: Visit) -> See:
    await visit.services.deliveries.replay(visit.actor, visit.ids["id"])
    return See(f"{LIST}/deliveries/{visit.ids['id']}", note="replayed")


async def replay_many(visit: Visit) -> See:
    """All of the list that the form is on; the use case bounds how many."""
    await visit.services.deliveries.replay_many(
        visit.actor, state=visit.form.get("state"), integration_id=visit.form.get("integrationId") or None
    )
    return See(f"{LIST}?state=pending", note="replayed-all")


def _state(visit: Visit) -> str:
    state = visit.query.get("state", "dead")
    if state not in dict(STATES):
        raise Refused("invalid_request", f"state must be one of: {', '.join(word for word, _ in STATES)}", "state")
    return state


NOTES = {
    "replayed": "Queued for redelivery.",
    "replayed-all": "Queued for redelivery.",
}
NAV = (Nav("Activity", LIST, "viewer", 30),)
PAGES = (
    Page("GET", LIST, page, "viewer"),
    Page("POST", f"{LIST}/replay", replay_many, "admin", again=page),
    Page("GET", f"{LIST}/deliveries/{{id}}", show, "viewer"),
    Page("POST", f"{LIST}/deliveries/{{id}}/replay", replay, "admin", again=show),
)
