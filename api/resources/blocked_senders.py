"""API calls for blocked senders."""

from __future__ import annotations

from api.route import Call, Route
from api.schema.sender_lists import (
    BlockedSenderAnswer,
    BlockedSenderCreate,
    BlockedSenderCreated,
    BlockedSenderList,
    BlockedSenderListParameters,
    BlockedSendersAdded,
)
from api.schema.shape import EmptyBody, NoQuery, PageParameters
from router.filters import TextFilter


async def list_page(call: Call[EmptyBody, PageParameters]) -> BlockedSenderList:
    query = call.query
    wanted = TextFilter.from_query(query.model_dump(by_alias=True))
    page = await call.services.blocked_senders.list(call.actor, wanted, limit=query.limit, cursor=query.cursor)
    return BlockedSenderList(
        blocked_senders=[BlockedSenderAnswer.from_model(listed) for listed in page.items],
        next_cursor=page.next_cursor,
    )


async def create(call: Call[BlockedSenderCreate, NoQuery]) -> BlockedSenderAnswer | BlockedSendersAdded:
    body, service = call.body, call.services.blocked_senders
    given = body.one_or_many()
    if isinstance(given, str):
        added = await service.create(call.actor, given, action=body.action, note=body.note)
        return BlockedSenderAnswer.from_model(added)
    return BlockedSendersAdded.from_result(
        await service.create_many(call.actor, given, action=body.action, note=body.note)
    )


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
        BlockedSenderCreated,
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
