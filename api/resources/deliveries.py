"""API calls for deliveries."""

from __future__ import annotations

from api.route import Call, Route
from api.schema.deliveries import (
    DeliveryAnswer,
    DeliveryDetail,
    DeliveryList,
    DeliveryListParameters,
    Replay,
    Replayed,
)
from api.schema.shape import EmptyBody, NoQuery, PageParameters
from router.filters import DeliveryFilter


async def list_page(call: Call[EmptyBody, PageParameters]) -> DeliveryList:
    query = call.query
    delivery_filter = DeliveryFilter.from_query(query.model_dump(by_alias=True))
    page = await call.services.deliveries.list(call.actor, delivery_filter, limit=query.limit, cursor=query.cursor)
    return DeliveryList(
        deliveries=[DeliveryAnswer.from_model(delivery) for delivery in page.items], next_cursor=page.next_cursor
    )


async def show(call: Call[EmptyBody, NoQuery]) -> DeliveryDetail:
    return DeliveryDetail.from_view(await call.services.deliveries.get(call.actor, call.ids["id"]))


async def replay(call: Call[EmptyBody, NoQuery]) -> DeliveryAnswer:
    return DeliveryAnswer.from_model(await call.services.deliveries.replay(call.actor, call.ids["id"]))


async def replay_many(call: Call[Replay, NoQuery]) -> Replayed:
    body = call.body
    return Replayed(
        replayed=await call.services.deliveries.replay_many(
            call.actor, integration_id=body.integration_id, state=body.state
        )
    )


ROUTES = (
    Route(
        "GET",
        "/deliveries",
        "listDeliveries",
        list_page,
        "List deliveries",
        "viewer",
        DeliveryList,
        query=DeliveryListParameters,
    ),
    Route(
        "POST",
        "/deliveries/replay",
        "replayDeliveries",
        replay_many,
        "Retry all dead or pending deliveries",
        "admin",
        Replayed,
        body=Replay,
        status=202,
        errors=("invalid_integration",),
    ),
    Route("GET", "/deliveries/{id}", "getDelivery", show, "Get a delivery with its attempts", "viewer", DeliveryDetail),
    Route(
        "POST",
        "/deliveries/{id}/replay",
        "replayDelivery",
        replay,
        "Retry a delivery",
        "admin",
        DeliveryAnswer,
        status=202,
        errors=("conflict",),
    ),
)
