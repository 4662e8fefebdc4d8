"""API call for the delivery status of the workspace."""

from __future__ import annotations

from api.route import Call, Route
from api.schema.overview import HealthAnswer
from api.schema.shape import EmptyBody, NoQuery


async def show(call: Call[EmptyBody, NoQuery]) -> HealthAnswer:
    return HealthAnswer.from_health(await call.services.health.get(call.actor))


ROUTES = (
    Route(
        "GET",
        "/health",
        "getHealth",
        show,
        "Get the delivery status",
        "viewer",
        HealthAnswer,
    ),
)
