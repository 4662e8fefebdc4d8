"""API call for the statistics of the workspace."""

from __future__ import annotations

from api.route import Call, Route
from api.schema.overview import OverviewAnswer
from api.schema.shape import EmptyBody, NoQuery


async def show(call: Call[EmptyBody, NoQuery]) -> OverviewAnswer:
    return OverviewAnswer.from_overview(await call.services.overview.get(call.actor))


ROUTES = (
    Route(
        "GET",
        "/overview",
        "getOverview",
        show,
        "Get statistics",
        "viewer",
        OverviewAnswer,
    ),
)
