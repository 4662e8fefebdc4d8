"""`/activity`: what needs attention; `/activity/deliveries`: the deliveries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from api.dashboard import display_names, list_filters
from api.dashboard.change_feed import newest_id
from api.dashboard.page import HtmlPage, NavLink, PageRoute, Redirect, Visit
from api.dashboard.ticket_replies import ShownReply
from router.admin.installation.attention import MAX_COUNTED
from router.admin.paging import MAX_LIMIT
from router.admin.routes.deliveries import MAX_REPLAYED
from router.filters import DeliveryFilter, query_name
from router.model import Delivery, Ticket

PER_PAGE = 50
ACTIVITY_PATH = "/activity"
DELIVERIES_PATH = "/activity/deliveries"
MAX_SHOWN = 10  # maximum number of deliveries in each list of what needs attention
MAX_ON_TOP = 5
_TARGET = "integration"  # the outbox lists the mails to smarthosts
_INTEGRATION_FIELD = query_name("integration_id")


async def show_attention(visit: Visit) -> HtmlPage | Redirect:
    if not {"state", _INTEGRATION_FIELD}.isdisjoint(visit.query):  # a link of an earlier version
        return Redirect(f"{DELIVERIES_PATH}?{visit.request.query_string}")
    visit.services.attention.invalidate(visit.actor)  # the counts on the page are those of its rows
    health = await visit.services.health.get(visit.actor)
    held = await visit.services.attention.list_held(visit.actor, limit=MAX_SHOWN)
    failed = await visit.services.attention.list_failed(visit.actor, limit=MAX_SHOWN + 1)
    types = visit.services.integrations.types
    remedies = {each.id: types[each.type].remedy(each.last_error) for each in health.failing if each.type in types}
    replies = await visit.services.attention.list_failed_replies(visit.actor, limit=MAX_SHOWN + 1)
    context = {
        "failed_replies": [ShownReply(each) for each in replies[:MAX_SHOWN]],
        "more_replies": len(replies) > MAX_SHOWN,
        "smarthosts": await visit.services.attention.list_failing_smarthosts(visit.actor),
        "integrations": health.failing,
        "remedies": remedies,
        "held_counts": await visit.services.attention.count_parked(visit.actor),
        "held": held,
        "domains": health.domains,
        "is_unreachable": await visit.services.reachability.is_unreachable(visit.actor),
        "failed": failed[:MAX_SHOWN],
        "more_failed": len(failed) > MAX_SHOWN,
        "tickets": await _tickets(visit, [*held, *failed]),
        "names": await display_names.resolve(visit, (delivery.integration_id for delivery in failed)),
        "replay_limit": MAX_REPLAYED,
        "count_limit": MAX_COUNTED,
    }
    return HtmlPage("attention.html", "Needs attention", context)


async def _tickets(visit: Visit, deliveries: Iterable[Delivery]) -> Mapping[str, Ticket]:
    return await visit.services.tickets.get_many(visit.actor, (delivery.ticket_id for delivery in deliveries))


async def show_list(visit: Visit) -> HtmlPage:
    given = list_filters.given_filters(visit, DeliveryFilter)
    given.pop("target", None)
    batch = await visit.services.deliveries.list(
        visit.actor,
        replace(DeliveryFilter.from_query(given), target=_TARGET),
        limit=PER_PAGE,
        cursor=visit.query.get("cursor"),
    )
    is_first_page = "cursor" not in visit.query
    on_top = await _list_on_top(visit) if is_first_page and not given else []
    items = [each for each in batch.items if each not in on_top]
    newest = await visit.services.integrations.list(visit.actor, limit=MAX_LIMIT)
    choices = {integration.id: integration.name for integration in newest.items}
    shown = [*on_top, *items]
    shown_ids = {given.get(_INTEGRATION_FIELD), *(delivery.integration_id for delivery in shown)} - choices.keys()
    names = choices | await display_names.resolve(visit, shown_ids)
    options = {_INTEGRATION_FIELD: list(names.items())}
    context = {
        "on_top": on_top,
        "deliveries": items,
        "next_cursor": batch.next_cursor,
        "first_page": is_first_page,
        "tickets": await _tickets(visit, shown),
        "names": names,
        "fields": list_filters.build_fields(
            DeliveryFilter, given, options, without={query_name("ticket_id"), "target"}
        ),
        "filters": given,
        "replay_limit": MAX_REPLAYED,
    }
    return HtmlPage("deliveries.html", "Deliveries", context)


async def _list_on_top(visit: Visit) -> Sequence[Delivery]:
    """Returns the held and failed deliveries that the first page shows above the others."""
    held = await visit.services.attention.list_held(visit.actor, limit=MAX_ON_TOP)
    return [*held, *await visit.services.attention.list_failed(visit.actor, limit=MAX_ON_TOP)]


async def show_delivery(visit: Visit) -> HtmlPage | Redirect:
    """Shows a post. A mail to a recipient of a reply is shown with its reply."""
    newest = newest_id(await visit.services.tickets.list_newest_ids(visit.actor))
    view = await visit.services.deliveries.get(visit.actor, visit.path_params["id"])
    delivery = view.delivery
    if delivery.target == "smarthost":
        return Redirect(f"/tickets/{delivery.ticket_id}#{delivery.message_id}")
    tickets = await visit.services.tickets.get_many(visit.actor, [delivery.ticket_id])
    context = {
        "delivery": delivery,
        "attempts": view.attempts[::-1],
        "newest_id": newest,
        "ticket": tickets.get(delivery.ticket_id),
        "name": (await display_names.resolve(visit, [delivery.integration_id]))[delivery.integration_id],
    }
    return HtmlPage("delivery.html", "Delivery", context)


async def replay(visit: Visit) -> Redirect:
    await visit.services.deliveries.replay(visit.actor, visit.path_params["id"])
    return Redirect(f"{DELIVERIES_PATH}/{visit.path_params['id']}", flash="replayed")


async def replay_many(visit: Visit) -> Redirect:
    await visit.services.deliveries.replay_many(
        visit.actor, state=visit.form.get("state"), integration_id=visit.form.get("integrationId") or None
    )
    return Redirect(f"{DELIVERIES_PATH}?state=pending", flash="replayed-all")


FLASH_MESSAGES = {
    "replayed": "Queued for redelivery.",
    "replayed-all": "Queued for redelivery.",
}
NAV_LINKS = (
    NavLink("Activity", ACTIVITY_PATH, "viewer", 30, icon="activity", key="a"),
    NavLink("Needs attention", ACTIVITY_PATH, "viewer", 31, parent=ACTIVITY_PATH),
    NavLink("Deliveries", DELIVERIES_PATH, "viewer", 32, parent=ACTIVITY_PATH),
)
PAGES = (
    PageRoute("GET", ACTIVITY_PATH, show_attention, "viewer", compress=True),
    PageRoute("GET", DELIVERIES_PATH, show_list, "viewer", compress=True),
    PageRoute("POST", f"{ACTIVITY_PATH}/replay", replay_many, "admin", form_view=show_list),
    PageRoute("GET", f"{DELIVERIES_PATH}/{{id}}", show_delivery, "viewer", compress=True),
    PageRoute("POST", f"{DELIVERIES_PATH}/{{id}}/replay", replay, "admin", form_view=show_delivery),
)
