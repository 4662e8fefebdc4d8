"""`/activity`: what needs attention, and the deliveries."""

from __future__ import annotations

from api.dashboard import display_names
from api.dashboard.page import HtmlPage, NavLink, PageRoute, Redirect, Visit
from router.admin.installation.attention import MAX_COUNTED
from router.admin.paging import MAX_LIMIT
from router.admin.routes.deliveries import MAX_REPLAYED
from router.enumerations import DELIVERY_STATE
from router.errors import Refused
from router.filters import DeliveryFilter

PER_PAGE = 50
ACTIVITY_PATH = "/activity"
MAX_FAILED_SHOWN = 10
# Any of these query parameters selects the list of deliveries.
_LIST_PARAMETERS = frozenset({"state", "integrationId", "cursor"})
STATES = {**{state: DELIVERY_STATE.label(state) for state in ("dead", "pending", "delivered")}, "all": "All"}


async def show_activity(visit: Visit) -> HtmlPage:
    if not _LIST_PARAMETERS.isdisjoint(visit.query) or visit.error is not None:
        return await show_list(visit)
    health = await visit.services.health.get(visit.actor)
    failed = await visit.services.attention.list_failed(visit.actor, limit=MAX_FAILED_SHOWN + 1)
    context = {
        "integrations": health.failing,
        "parked": await visit.services.attention.count_parked(visit.actor),
        "domains": health.domains,
        "is_unreachable": await visit.services.reachability.is_unreachable(visit.actor),
        "failed": failed[:MAX_FAILED_SHOWN],
        "more_failed": len(failed) > MAX_FAILED_SHOWN,
        "tickets": await visit.services.tickets.get_many(visit.actor, (delivery.ticket_id for delivery in failed)),
        "names": await display_names.resolve(visit, (delivery.integration_id for delivery in failed)),
        "replay_limit": MAX_REPLAYED,
        "count_limit": MAX_COUNTED,
    }
    return HtmlPage("attention.html", "Needs attention", context)


async def show_list(visit: Visit) -> HtmlPage:
    state = _requested_state(visit)
    integration_id = visit.query.get("integrationId", "") or None
    delivery_filter = DeliveryFilter.from_query(
        {"state": None if state == "all" else state, "integrationId": integration_id}
    )
    batch = await visit.services.deliveries.list(
        visit.actor, delivery_filter, limit=PER_PAGE, cursor=visit.query.get("cursor")
    )
    items = batch.items
    newest = await visit.services.integrations.list(visit.actor, limit=MAX_LIMIT)
    choices = {integration.id: integration.name for integration in newest.items}
    context = {
        "deliveries": items,
        "next_cursor": batch.next_cursor,
        "first_page": "cursor" not in visit.query,
        "tickets": await visit.services.tickets.get_many(visit.actor, (delivery.ticket_id for delivery in items)),
        "names": choices
        | await display_names.resolve(visit, (d.integration_id for d in items if d.integration_id not in choices)),
        "states": STATES.items(),
        "state": state,
        "integration_id": integration_id,
        "replay_limit": MAX_REPLAYED,
    }
    return HtmlPage("deliveries.html", "Deliveries", context)


async def show_delivery(visit: Visit) -> HtmlPage:
    view = await visit.services.deliveries.get(visit.actor, visit.path_params["id"])
    delivery = view.delivery
    tickets = await visit.services.tickets.get_many(visit.actor, [delivery.ticket_id])
    context = {
        "delivery": delivery,
        "attempts": view.attempts[::-1],
        "ticket": tickets.get(delivery.ticket_id),
        "name": (await display_names.resolve(visit, [delivery.integration_id]))[delivery.integration_id],
    }
    return HtmlPage("delivery.html", "Delivery", context)


async def replay(visit: Visit) -> Redirect:
    await visit.services.deliveries.replay(visit.actor, visit.path_params["id"])
    return Redirect(f"{ACTIVITY_PATH}/deliveries/{visit.path_params['id']}", flash="replayed")


async def replay_many(visit: Visit) -> Redirect:
    await visit.services.deliveries.replay_many(
        visit.actor, state=visit.form.get("state"), integration_id=visit.form.get("integrationId") or None
    )
    return Redirect(f"{ACTIVITY_PATH}?state=pending", flash="replayed-all")


def _requested_state(visit: Visit) -> str:
    state = visit.query.get("state", "dead")
    if state not in STATES:
        raise Refused("invalid_request", f"state must be one of: {', '.join(STATES)}", "state")
    return state


FLASH_MESSAGES = {
    "replayed": "Queued for redelivery.",
    "replayed-all": "Queued for redelivery.",
}
NAV_LINKS = (NavLink("Activity", ACTIVITY_PATH, "viewer", 30, icon="activity", key="a"),)
PAGES = (
    PageRoute("GET", ACTIVITY_PATH, show_activity, "viewer", compress=True),
    PageRoute("POST", f"{ACTIVITY_PATH}/replay", replay_many, "admin", form_view=show_activity),
    PageRoute("GET", f"{ACTIVITY_PATH}/deliveries/{{id}}", show_delivery, "viewer", compress=True),
    PageRoute("POST", f"{ACTIVITY_PATH}/deliveries/{{id}}/replay", replay, "admin", form_view=show_delivery),
)
