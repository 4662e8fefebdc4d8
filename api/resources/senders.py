"""API calls for senders."""

from __future__ import annotations

from api.route import Call, Route
from api.schema.senders import SenderAnswer
from api.schema.shape import EmptyBody, NoQuery


async def show(call: Call[EmptyBody, NoQuery]) -> SenderAnswer:
    return SenderAnswer.from_view(await call.services.senders.get(call.actor, call.ids["address"]))


ROUTES = (Route("GET", "/senders/{address}", "getSender", show, "Get a sender", "viewer", SenderAnswer),)
