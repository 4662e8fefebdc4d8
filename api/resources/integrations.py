"""API calls for integrations."""

from __future__ import annotations

from api.route import Call, Route
from api.schema.routing import (
    IntegrationAnswer,
    IntegrationChange,
    IntegrationCreate,
    IntegrationList,
    IntegrationTested,
)
from api.schema.shape import EmptyBody, NoQuery, PageParameters


async def list_page(call: Call[EmptyBody, PageParameters]) -> IntegrationList:
    page = await call.services.integrations.list(call.actor, limit=call.query.limit, cursor=call.query.cursor)
    return IntegrationList(
        integrations=[IntegrationAnswer.from_model(integration) for integration in page.items],
        next_cursor=page.next_cursor,
    )


async def create(call: Call[IntegrationCreate, NoQuery]) -> IntegrationAnswer:
    body = call.body
    return IntegrationAnswer.from_model(
        await call.services.integrations.create(
            call.actor, type=body.type, name=body.name, settings={"webhookUrl": body.webhook_url}
        )
    )


async def show(call: Call[EmptyBody, NoQuery]) -> IntegrationAnswer:
    return IntegrationAnswer.from_model(await call.services.integrations.get(call.actor, call.ids["id"]))


async def change(call: Call[IntegrationChange, NoQuery]) -> IntegrationAnswer:
    url = call.body.webhook_url
    return IntegrationAnswer.from_model(
        await call.services.integrations.change(
            call.actor,
            call.ids["id"],
            name=call.body.name,
            settings=None if url is None else {"webhookUrl": url},
        )
    )


async def delete(call: Call[EmptyBody, NoQuery]) -> None:
    await call.services.integrations.delete(call.actor, call.ids["id"])


async def test(call: Call[EmptyBody, NoQuery]) -> IntegrationTested:
    return IntegrationTested.from_model(await call.services.integrations.test(call.actor, call.ids["id"]))


ROUTES = (
    Route(
        "GET", "/integrations", list_page, "Integrations, newest first", "viewer", IntegrationList, query=PageParameters
    ),
    Route(
        "POST",
        "/integrations",
        create,
        "Create an integration; its URL is stored encrypted and never returned",
        "admin",
        IntegrationAnswer,
        body=IntegrationCreate,
        status=201,
        creates=True,
        errors=("invalid_integration", "invalid_webhook_url"),
    ),
    Route("GET", "/integrations/{id}", show, "An integration", "viewer", IntegrationAnswer),
    Route(
        "PATCH",
        "/integrations/{id}",
        change,
        "Change the name or URL of an integration; a new URL reactivates a failing one",
        "admin",
        IntegrationAnswer,
        body=IntegrationChange,
        errors=("invalid_webhook_url", "conflict"),
    ),
    Route(
        "DELETE",
        "/integrations/{id}",
        delete,
        "Delete an integration that no alias uses",
        "admin",
        status=204,
        errors=("in_use",),
    ),
    Route(
        "POST",
        "/integrations/{id}/test",
        test,
        "Send a test message and return the response of the endpoint",
        "admin",
        IntegrationTested,
    ),
)
