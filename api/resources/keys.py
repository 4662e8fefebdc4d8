"""API calls for API keys."""

from __future__ import annotations

from api.route import Call, Route
from api.schema.accounts import KeyAnswer, KeyCreate, KeyCreated, KeyList, KeyListParameters
from api.schema.shape import EmptyBody, NoQuery, PageParameters
from router.filters import KeyFilter


async def list_page(call: Call[EmptyBody, PageParameters]) -> KeyList:
    query = call.query
    wanted = KeyFilter.from_query(query.model_dump(by_alias=True))
    page = await call.services.keys.list(call.actor, wanted, limit=query.limit, cursor=query.cursor)
    return KeyList(keys=[KeyAnswer.from_model(key) for key in page.items], next_cursor=page.next_cursor)


async def create(call: Call[KeyCreate, NoQuery]) -> KeyCreated:
    body = call.body
    return KeyCreated.from_new_key(
        await call.services.keys.create(
            call.actor, name=body.name, role=body.role, user_id=body.user_id, expires_at=body.expires_at
        )
    )


async def revoke(call: Call[EmptyBody, NoQuery]) -> None:
    await call.services.keys.revoke(call.actor, call.ids["id"])


ROUTES = (
    Route(
        "GET",
        "/keys",
        "listKeys",
        list_page,
        "List API keys",
        "viewer",
        KeyList,
        query=KeyListParameters,
    ),
    Route(
        "POST",
        "/keys",
        "createKey",
        create,
        "Create an API key",
        "admin",
        KeyCreated,
        body=KeyCreate,
        status=201,
        creates=True,
    ),
    Route("DELETE", "/keys/{id}", "revokeKey", revoke, "Revoke an API key", "admin", status=204),
)
