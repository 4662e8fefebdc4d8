"""The workspace itself: its name, and where mail to the postmaster goes."""

from __future__ import annotations

from api.dashboard import manage
from api.dashboard.page import Html, Page, See, Visit


async def show(visit: Visit) -> Html:
    workspace = await visit.services.workspaces.get(visit.actor)
    integrations = await manage.integrations(visit)
    return manage.shown(visit, "workspace.html", "Workspace", workspace=workspace, integrations=integrations)


async def change(visit: Visit) -> See:
    default = visit.form.get("defaultIntegrationId", "")
    await visit.services.workspaces.change(
        visit.actor,
        name=visit.form.get("name", ""),
        default_integration_id=default or None,
        without_default=not default,
    )
    return See("/manage/workspace", note="workspace-changed")


NOTES = {"workspace-changed": "The workspace is changed."}
PAGES = (
    Page("GET", "/manage/workspace", show, "viewer"),
    Page("POST", "/manage/workspace", change, "admin", again=show),
)
