"""API calls for blocked senders."""

from __future__ import annotations

from api.route import Call, Route
from api.schema.operations import (
    BlockedSenderAnswer,
    BlockedSenderCreate,
    BlockedSenderList,
    BlockedSenderListParameters,
)
from api.schema.shape import EmptyBody, NoQuery, PageParameters
from router.filters import TextFilter


async def list_page(call: Call[EmptyBody, PageParameters]) -> BlockedSenderList:
    query = call.query
    wanted = TextFilter.from_query(query.model_dump(by_alias=True))
    page = await call.services.blocked_senders.list(call.actor, wanted, limit=query.limit, cursor=query.cursor)
    return BlockedSenderList(
        blocked_senders=[BlockedSenderAnswer.from_model(blocked) for blocked in page.items],
        next_cursor=page.next_cursor,
    )


async def create(call: Call[BlockedSenderCreate, NoQuery]) -> BlockedSenderAnswer:
    return BlockedSenderAnswer.from_model(await call.services.blocked_senders.create(call.actor, call.body.sender))


async def delete(call: Call[EmptyBody, NoQuery]) -> None:
    await call.services.blocked_senders.delete(call.actor, call.ids["sender"])


ROUTES = (
    Route(
        "GET",
        "/blocked-senders",
        "listBlockedSenders",
        list_page,
        "List blocked senders",
        "viewer",
        BlockedSenderList,
        query=BlockedSenderListParameters,
    ),
    Route(
        "POST",
        "/blocked-senders",
        "createBlockedSender",
        create,
        "Block a sender",
        "admin",
        BlockedSenderAnswer,
        body=BlockedSenderCreate,
        status=201,
        creates=True,
        errors=("conflict",),
    ),
    Route(
        "DELETE",
        "/blocked-senders/{sender}",
        "deleteBlockedSender",
        delete,
        "Unblock a sender",
        "admin",
        status=204,
    ),
)
