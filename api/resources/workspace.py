"""API calls for the workspace of the caller."""

from __future__ import annotations

from api.route import Call, Route
from api.schema.accounts import WorkspaceAnswer, WorkspaceChange
from api.schema.shape import EmptyBody, NoQuery


async def show(call: Call[EmptyBody, NoQuery]) -> WorkspaceAnswer:
    return WorkspaceAnswer.from_model(await call.services.workspaces.get(call.actor))


async def change(call: Call[WorkspaceChange, NoQuery]) -> WorkspaceAnswer:
    body = call.body
    return WorkspaceAnswer.from_model(
        await call.services.workspaces.change(
            call.actor,
            name=body.name,
            default_integration_id=body.default_integration_id,
            clear_default_integration="default_integration_id" in body.model_fields_set
            and body.default_integration_id is None,
            timezone=body.timezone,
            locale=body.locale,
            sender_checks=None if body.sender_checks is None else body.sender_checks.changes(),
        )
    )


ROUTES = (
    Route("GET", "/workspace", "getWorkspace", show, "Get the workspace", "viewer", WorkspaceAnswer),
    Route(
        "PATCH",
        "/workspace",
        "updateWorkspace",
        change,
        "Change the workspace",
        "admin",
        WorkspaceAnswer,
        body=WorkspaceChange,
        errors=("invalid_integration",),
    ),
)
