"""Whether mail gets through."""

from __future__ import annotations

from api.route import Call, Route
from api.schema.overview import HealthAnswer
from api.schema.shape import Empty, NoQuery


async def show(call: Call[Empty, NoQuery]) -> HealthAnswer:
    return HealthAnswer.of(await call.services.health.get(call.actor))


ROUTES = (
    Route(
        "GET",
        "/health",
        show,
        "The queue, the deliverer, and the integrations and domains that are in trouble",
        "viewer",
        HealthAnswer,
    ),
)
