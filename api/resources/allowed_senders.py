"""API calls for allowed senders."""

from __future__ import annotations

from api.route import Call, Route
from api.schema.sender_lists import (
    AllowedSenderAnswer,
    AllowedSenderCreate,
    AllowedSenderCreated,
    AllowedSenderList,
    AllowedSenderListParameters,
    AllowedSendersAdded,
)
from api.schema.shape import EmptyBody, NoQuery, PageParameters
from router.filters import TextFilter


async def list_page(call: Call[EmptyBody, PageParameters]) -> AllowedSenderList:
    query = call.query
    wanted = TextFilter.from_query(query.model_dump(by_alias=True))
    page = await call.services.allowed_senders.list(call.actor, wanted, limit=query.limit, cursor=query.cursor)
    return AllowedSenderList(
        allowed_senders=[AllowedSenderAnswer.from_model(listed) for listed in page.items],
        next_cursor=page.next_cursor,
    )


async def create(call: Call[AllowedSenderCreate, NoQuery]) -> AllowedSenderAnswer | AllowedSendersAdded:
    body, service = call.body, call.services.allowed_senders
    given = body.one_or_many()
    if isinstance(given, str):
        added = await service.create(call.actor, given, require_auth=body.require_auth, note=body.note)
        return AllowedSenderAnswer.from_model(added)
    return AllowedSendersAdded.from_result(
        await service.create_many(call.actor, given, require_auth=body.require_auth, note=body.note)
    )


async def delete(call: Call[EmptyBody, NoQuery]) -> None:
    await call.services.allowed_senders.delete(call.actor, call.ids["sender"])


ROUTES = (
    Route(
        "GET",
        "/allowed-senders",
        "listAllowedSenders",
        list_page,
        "List allowed senders",
        "viewer",
        AllowedSenderList,
        query=AllowedSenderListParameters,
    ),
    Route(
        "POST",
        "/allowed-senders",
        "createAllowedSender",
        create,
        "Allow a sender",
        "admin",
        AllowedSenderCreated,
        body=AllowedSenderCreate,
        status=201,
        creates=True,
        errors=("conflict",),
    ),
    Route(
        "DELETE",
        "/allowed-senders/{sender}",
        "deleteAllowedSender",
        delete,
        "Remove an allowed sender",
        "admin",
        status=204,
    ),
)
