"""API calls for canned responses."""

from __future__ import annotations

from api.route import Call, Route
from api.schema.shape import EmptyBody, NoQuery, PageParameters
from api.schema.templates import (
    CannedResponseAnswer,
    CannedResponseCreate,
    CannedResponseFields,
    CannedResponseList,
    CannedResponseListParameters,
)
from router.admin.templates.canned_responses import ALL_ALIASES, CannedResponseChange
from router.filters import CannedResponseFilter


async def list_page(call: Call[EmptyBody, PageParameters]) -> CannedResponseList:
    query = call.query
    wanted = CannedResponseFilter.from_query(query.model_dump(by_alias=True))
    page = await call.services.canned_responses.list(call.actor, wanted, limit=query.limit, cursor=query.cursor)
    return CannedResponseList(
        canned_responses=[CannedResponseAnswer.from_model(response) for response in page.items],
        next_cursor=page.next_cursor,
    )


async def create(call: Call[CannedResponseCreate, NoQuery]) -> CannedResponseAnswer:
    body = call.body
    return CannedResponseAnswer.from_model(
        await call.services.canned_responses.create(
            call.actor, title=body.title, body=body.body, alias_id=body.alias_id
        )
    )


async def show(call: Call[EmptyBody, NoQuery]) -> CannedResponseAnswer:
    return CannedResponseAnswer.from_model(await call.services.canned_responses.get(call.actor, call.ids["id"]))


async def change(call: Call[CannedResponseFields, NoQuery]) -> CannedResponseAnswer:
    body = call.body
    for_all = "alias_id" in body.model_fields_set and body.alias_id is None
    wanted = CannedResponseChange(body.title, body.body, ALL_ALIASES if for_all else body.alias_id)
    return CannedResponseAnswer.from_model(
        await call.services.canned_responses.change(call.actor, call.ids["id"], wanted)
    )


async def delete(call: Call[EmptyBody, NoQuery]) -> None:
    await call.services.canned_responses.delete(call.actor, call.ids["id"])


ROUTES = (
    Route(
        "GET",
        "/canned-responses",
        "listCannedResponses",
        list_page,
        "List canned responses",
        "viewer",
        CannedResponseList,
        query=CannedResponseListParameters,
    ),
    Route(
        "POST",
        "/canned-responses",
        "createCannedResponse",
        create,
        "Create a canned response",
        "admin",
        CannedResponseAnswer,
        body=CannedResponseCreate,
        status=201,
        creates=True,
        errors=("unknown_placeholder", "not_found", "conflict"),
    ),
    Route(
        "GET",
        "/canned-responses/{id}",
        "getCannedResponse",
        show,
        "Get a canned response",
        "viewer",
        CannedResponseAnswer,
    ),
    Route(
        "PATCH",
        "/canned-responses/{id}",
        "updateCannedResponse",
        change,
        "Change a canned response",
        "admin",
        CannedResponseAnswer,
        body=CannedResponseFields,
        errors=("unknown_placeholder", "conflict"),
    ),
    Route(
        "DELETE",
        "/canned-responses/{id}",
        "deleteCannedResponse",
        delete,
        "Delete a canned response",
        "admin",
        status=204,
    ),
)
