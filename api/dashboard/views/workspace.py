"""The workspace itself: its name, where mail to the postmaster goes, its time zone and date format."""

from __future__ import annotations

from api.dashboard import manage, timezones
from api.dashboard.page import Html, Page, See, Visit


async def show(visit: Visit) -> Html:
    workspace = await visit.services.workspaces.get(visit.actor)
    integrations = await manage.list_integrations(visit)
    return manage.manage_page(
        visit,
        "workspace.html",
        "Workspace",
        workspace=workspace,
        integrations=integrations,
        timezones=timezones.names(workspace.timezone),
        locales=timezones.date_formats(visit.services.clock.now()),
    )


async def change(visit: Visit) -> See:
    default = visit.form.get("defaultIntegrationId", "")
    await visit.services.workspaces.change(
        visit.actor,
        name=visit.form.get("name", ""),
        default_integration_id=default or None,
        clear_default_integration=not default,
        timezone=visit.form.get("timezone"),
        locale=visit.form.get("locale"),
    )
    return See("/manage/workspace", note="workspace-changed")


NOTES = {"workspace-changed": "Workspace saved."}
PAGES = (
    Page("GET", "/manage/workspace", show, "viewer"),
    Page("POST", "/manage/workspace", change, "admin", again=show),
)
