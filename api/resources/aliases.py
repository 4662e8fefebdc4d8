"""API calls for aliases."""

from __future__ import annotations

from api.route import Call, Route
from api.schema.routing import AliasAnswer, AliasChange, AliasCreate, AliasList, AliasListParameters, AliasTested
from api.schema.shape import EmptyBody, NoQuery, PageParameters
from router.admin.routes.reply_settings import NO_TEMPLATE, ReplySettingsChange
from router.filters import AliasFilter


async def list_page(call: Call[EmptyBody, PageParameters]) -> AliasList:
    query = call.query
    wanted = AliasFilter.from_query(query.model_dump(by_alias=True))
    page = await call.services.aliases.list(call.actor, wanted, limit=query.limit, cursor=query.cursor)
    return AliasList(aliases=[AliasAnswer.from_model(alias) for alias in page.items], next_cursor=page.next_cursor)


async def create(call: Call[AliasCreate, NoQuery]) -> AliasAnswer:
    body = call.body
    return AliasAnswer.from_model(
        await call.services.aliases.create(
            call.actor,
            domain_id=body.domain_id,
            local_part=body.local_part,
            integration_id=body.integration_id,
            forwarded_from=body.forwarded_from,
            sender_checks=None if body.sender_checks is None else body.sender_checks.changes(),
            reply_settings=_reply_settings(body),
        )
    )


async def show(call: Call[EmptyBody, NoQuery]) -> AliasAnswer:
    return AliasAnswer.from_model(await call.services.aliases.get(call.actor, call.ids["id"]))


async def change(call: Call[AliasChange, NoQuery]) -> AliasAnswer:
    body = call.body
    removes_note = "forwarded_from" in body.model_fields_set and body.forwarded_from is None
    return AliasAnswer.from_model(
        await call.services.aliases.change(
            call.actor,
            call.ids["id"],
            integration_id=body.integration_id,
            status=body.status,
            forwarded_from="" if removes_note else body.forwarded_from,
            sender_checks=None if body.sender_checks is None else body.sender_checks.changes(),
            reply_settings=_reply_settings(body),
        )
    )


async def delete(call: Call[EmptyBody, NoQuery]) -> None:
    await call.services.aliases.delete(call.actor, call.ids["id"])


async def test(call: Call[EmptyBody, NoQuery]) -> AliasTested:
    return AliasTested.from_model(await call.services.aliases.test(call.actor, call.ids["id"]))


def _reply_settings(body: AliasCreate | AliasChange) -> ReplySettingsChange:
    template_id = None
    if "acknowledge" in body.model_fields_set:
        template_id = NO_TEMPLATE if body.acknowledge is None else body.acknowledge.template_id
    return ReplySettingsChange(body.sender_name, body.signature, body.reply_to_token, template_id)


ROUTES = (
    Route(
        "GET",
        "/aliases",
        "listAliases",
        list_page,
        "List aliases",
        "viewer",
        AliasList,
        query=AliasListParameters,
        errors=("not_found",),
    ),
    Route(
        "POST",
        "/aliases",
        "createAlias",
        create,
        "Create an alias",
        "admin",
        AliasAnswer,
        body=AliasCreate,
        status=201,
        creates=True,
        errors=("invalid_alias", "invalid_integration", "unknown_placeholder", "not_found", "alias_taken"),
    ),
    Route("GET", "/aliases/{id}", "getAlias", show, "Get an alias", "viewer", AliasAnswer),
    Route(
        "PATCH",
        "/aliases/{id}",
        "updateAlias",
        change,
        "Change an alias",
        "admin",
        AliasAnswer,
        body=AliasChange,
        errors=("invalid_status", "invalid_integration", "unknown_placeholder"),
    ),
    Route("DELETE", "/aliases/{id}", "deleteAlias", delete, "Delete an alias", "admin", status=204),
    Route(
        "POST",
        "/aliases/{id}/test",
        "testAlias",
        test,
        "Create a test ticket",
        "admin",
        AliasTested,
        status=202,
        errors=("conflict",),
    ),
)
