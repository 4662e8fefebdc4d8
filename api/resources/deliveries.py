"""What is owed to the integrations."""

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
from api.schema.shape import EmptyBody, NoQuery


async def page(call: Call[EmptyBody, DeliveryListParameters]) -> DeliveryList:
    asked = call.query
    found = await call.services.deliveries.list(
        call.actor,
        state=asked.state,
        integration_id=asked.integration_id,
        ticket_id=asked.ticket_id,
        limit=asked.limit,
        cursor=asked.cursor,
    )
    return DeliveryList(
        deliveries=[DeliveryAnswer.from_model(delivery) for delivery in found.items], next_cursor=found.next_cursor
    )


async def show(call: Call[EmptyBody, NoQuery]) -> DeliveryDetail:
    return DeliveryDetail.from_view(await call.services.deliveries.get(call.actor, call.ids["id"]))


async def replay(call: Call[EmptyBody, NoQuery]) -> DeliveryAnswer:
    return DeliveryAnswer.from_model(await call.services.deliveries.replay(call.actor, call.ids["id"]))


async def replay_many(call: Call[Replay, NoQuery]) -> Replayed:
    asked = call.body
    return Replayed(
        replayed=await call.services.deliveries.replay_many(
            call.actor, integration_id=asked.integration_id, state=asked.state
        )
    )


ROUTES = (
    Route("GET", "/deliveries", page, "Deliveries, newest first", "viewer", DeliveryList, query=DeliveryListParameters),
    Route(
        "POST",
        "/deliveries/replay",
        replay_many,
        "Retry all dead or all pending deliveries, at most 10,000 per call",
        "admin",
        Replayed,
        body=Replay,
        status=202,
        errors=("invalid_integration",),
    ),
    Route("GET", "/deliveries/{id}", show, "A delivery with its attempts", "viewer", DeliveryDetail),
    Route(
        "POST",
        "/deliveries/{id}/replay",
        replay,
        "Retry a dead or parked delivery",
        "admin",
        DeliveryAnswer,
        status=202,
        errors=("conflict",),
    ),
)
