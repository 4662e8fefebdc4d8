"""API calls for integrations."""

from __future__ import annotations

from api.route import Call, Route
from api.schema.integrations import (
    IntegrationAnswer,
    IntegrationChange,
    IntegrationCreate,
    IntegrationList,
    IntegrationListParameters,
    IntegrationTested,
)
from api.schema.shape import EmptyBody, NoQuery, PageParameters
from router.errors import InvalidSetting
from router.filters import IntegrationFilter


async def list_page(call: Call[EmptyBody, PageParameters]) -> IntegrationList:
    query = call.query
    wanted = IntegrationFilter.from_query(query.model_dump(by_alias=True))
    page = await call.services.integrations.list(call.actor, wanted, limit=query.limit, cursor=query.cursor)
    return IntegrationList(
        integrations=[IntegrationAnswer.from_model(integration) for integration in page.items],
        next_cursor=page.next_cursor,
    )


async def create(call: Call[IntegrationCreate, NoQuery]) -> IntegrationAnswer:
    body = call.body
    try:
        integration = await call.services.integrations.create(
            call.actor, type=body.type, name=body.name, settings=body.read_settings()
        )
    except InvalidSetting as error:
        raise body.locate_error(error) from None
    return IntegrationAnswer.from_model(integration)


async def show(call: Call[EmptyBody, NoQuery]) -> IntegrationAnswer:
    return IntegrationAnswer.from_model(await call.services.integrations.get(call.actor, call.ids["id"]))


async def change(call: Call[IntegrationChange, NoQuery]) -> IntegrationAnswer:
    body = call.body
    try:
        integration = await call.services.integrations.change(
            call.actor, call.ids["id"], name=body.name, settings=body.read_settings() or None
        )
    except InvalidSetting as error:
        raise body.locate_error(error) from None
    return IntegrationAnswer.from_model(integration)


async def delete(call: Call[EmptyBody, NoQuery]) -> None:
    await call.services.integrations.delete(call.actor, call.ids["id"])


async def test(call: Call[EmptyBody, NoQuery]) -> IntegrationTested:
    return IntegrationTested.from_model(await call.services.integrations.test(call.actor, call.ids["id"]))


ROUTES = (
    Route(
        "GET",
        "/integrations",
        "listIntegrations",
        list_page,
        "List integrations",
        "viewer",
        IntegrationList,
        query=IntegrationListParameters,
    ),
    Route(
        "POST",
        "/integrations",
        "createIntegration",
        create,
        "Create an integration",
        "admin",
        IntegrationAnswer,
        body=IntegrationCreate,
        status=201,
        creates=True,
        errors=("invalid_integration", "invalid_webhook_url"),
    ),
    Route("GET", "/integrations/{id}", "getIntegration", show, "Get an integration", "viewer", IntegrationAnswer),
    Route(
        "PATCH",
        "/integrations/{id}",
        "updateIntegration",
        change,
        "Change an integration",
        "admin",
        IntegrationAnswer,
        body=IntegrationChange,
        errors=("invalid_webhook_url", "conflict"),
    ),
    Route(
        "DELETE",
        "/integrations/{id}",
        "deleteIntegration",
        delete,
        "Delete an integration",
        "admin",
        status=204,
        errors=("in_use",),
    ),
    Route(
        "POST",
        "/integrations/{id}/test",
        "testIntegration",
        test,
        "Send a test message",
        "admin",
        IntegrationTested,
    ),
)
