"""API calls for templates."""

from __future__ import annotations

from api.route import Call, Route
from api.schema.shape import EmptyBody, NoQuery, PageParameters
from api.schema.templates import (
    TemplateAnswer,
    TemplateCreate,
    TemplateFields,
    TemplateList,
    TemplateListParameters,
    TemplateRender,
    TemplateRendered,
)
from router.admin.templates.templates import TemplateChange
from router.filters import TextFilter


async def list_page(call: Call[EmptyBody, PageParameters]) -> TemplateList:
    query = call.query
    wanted = TextFilter.from_query(query.model_dump(by_alias=True))
    page = await call.services.templates.list(call.actor, wanted, limit=query.limit, cursor=query.cursor)
    return TemplateList(
        templates=[TemplateAnswer.from_model(template) for template in page.items], next_cursor=page.next_cursor
    )


async def create(call: Call[TemplateCreate, NoQuery]) -> TemplateAnswer:
    body = call.body
    return TemplateAnswer.from_model(
        await call.services.templates.create(
            call.actor, name=body.name, subject=body.subject, body=body.body, mode=body.mode
        )
    )


async def show(call: Call[EmptyBody, NoQuery]) -> TemplateAnswer:
    return TemplateAnswer.from_model(await call.services.templates.get(call.actor, call.ids["id"]))


async def change(call: Call[TemplateFields, NoQuery]) -> TemplateAnswer:
    body = call.body
    wanted = TemplateChange(body.name, body.subject, body.body, body.mode)
    return TemplateAnswer.from_model(await call.services.templates.change(call.actor, call.ids["id"], wanted))


async def delete(call: Call[EmptyBody, NoQuery]) -> None:
    await call.services.templates.delete(call.actor, call.ids["id"])


async def render(call: Call[TemplateRender, NoQuery]) -> TemplateRendered:
    rendered = await call.services.templates.render(call.actor, call.ids["id"], call.body.ticket_id)
    return TemplateRendered.from_model(rendered)


ROUTES = (
    Route(
        "GET",
        "/templates",
        "listTemplates",
        list_page,
        "List templates",
        "viewer",
        TemplateList,
        query=TemplateListParameters,
    ),
    Route(
        "POST",
        "/templates",
        "createTemplate",
        create,
        "Create a template",
        "admin",
        TemplateAnswer,
        body=TemplateCreate,
        status=201,
        creates=True,
        errors=("unknown_placeholder", "conflict"),
    ),
    Route("GET", "/templates/{id}", "getTemplate", show, "Get a template", "viewer", TemplateAnswer),
    Route(
        "PATCH",
        "/templates/{id}",
        "updateTemplate",
        change,
        "Change a template",
        "admin",
        TemplateAnswer,
        body=TemplateFields,
        errors=("unknown_placeholder", "conflict"),
    ),
    Route(
        "DELETE",
        "/templates/{id}",
        "deleteTemplate",
        delete,
        "Delete a template",
        "admin",
        status=204,
        errors=("in_use",),
    ),
    Route(
        "POST",
        "/templates/{id}/render",
        "renderTemplate",
        render,
        "Render a template for a ticket",
        "agent",
        TemplateRendered,
        body=TemplateRender,
    ),
)
