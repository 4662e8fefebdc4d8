"""The places that tickets are posted to."""

from __future__ import annotations

from api.route import Call, Route
from api.schema.routing import (
    IntegrationAnswer,
    IntegrationChange,
    IntegrationCreate,
    IntegrationList,
    IntegrationTested,
)
from api.schema.shape import Empty, NoQuery, Paged


async def page(call: Call[Empty, Paged]) -> IntegrationList:
    found = await call.services.integrations.list(call.actor, limit=call.query.limit, cursor=call.query.cursor)
    return IntegrationList(
        integrations=[IntegrationAnswer.of(integration) for integration in found.items],
        next_cursor=found.next_cursor,
    )


async def create(call: Call[IntegrationCreate, NoQuery]) -> IntegrationAnswer:
    asked = call.body
    return IntegrationAnswer.of(
        await call.services.integrations.create(
            call.actor, type=asked.type, name=asked.name, settings={"webhookUrl": asked.webhook_url}
        )
    )


async def show(call: Call[Empty, NoQuery]) -> IntegrationAnswer:
    return IntegrationAnswer.of(await call.services.integrations.get(call.actor, call.ids["id"]))


async def change(call: Call[IntegrationChange, NoQuery]) -> IntegrationAnswer:
    url = call.body.webhook_url
    return IntegrationAnswer.of(
        await call.services.integrations.change(
            call.actor,
            call.ids["id"],
            name=call.body.name,
            settings=None if url is None else {"webhookUrl": url},
        )
    )


async def delete(call: Call[Empty, NoQuery]) -> None:
    await call.services.integrations.delete(call.actor, call.ids["id"])


async def test(call: Call[Empty, NoQuery]) -> IntegrationTested:
    return IntegrationTested.of(await call.services.integrations.test(call.actor, call.ids["id"]))


ROUTES = (
    Route("GET", "/integrations", page, "Integrations, newest first", "viewer", IntegrationList, query=Paged),
    Route(
        "POST",
        "/integrations",
        create,
        "Add an integration; its URL is kept encrypted and never shown again",
        "admin",
        IntegrationAnswer,
        body=IntegrationCreate,
        status=201,
        creates=True,
        errors=("invalid_integration", "invalid_webhook_url"),
    ),
    Route("GET", "/integrations/{id}", show, "One integration", "viewer", IntegrationAnswer),
    Route(
        "PATCH",
        "/integrations/{id}",
        change,
        "Change its name or URL; a new URL makes a failing one active again",
        "admin",
        IntegrationAnswer,
        body=IntegrationChange,
        errors=("invalid_webhook_url", "conflict"),
    ),
    Route(
        "DELETE",
        "/integrations/{id}",
        delete,
        "Remove an integration that no alias points to",
        "admin",
        status=204,
        errors=("in_use",),
    ),
    Route(
        "POST",
        "/integrations/{id}/test",
        test,
        "Send a message marked as a test, and answer what the other side said",
        "admin",
        IntegrationTested,
    ),
)
