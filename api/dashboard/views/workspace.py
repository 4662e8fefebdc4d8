"""`/manage/workspace`: name, default integration, time zone and date format."""

from __future__ import annotations

from api.dashboard import manage, timezones
from api.dashboard.page import HtmlPage, NavLink, PageRoute, Redirect, Visit


async def show_workspace(visit: Visit) -> HtmlPage:
    workspace = await visit.services.workspaces.get(visit.actor)
    integrations = await manage.list_integrations(visit)
    return HtmlPage(
        "workspace.html",
        "Workspace",
        {
            "workspace": workspace,
            "integrations": integrations,
            "timezones": timezones.timezone_names(workspace.timezone),
            "locales": timezones.locale_options(visit.services.clock.now()),
        },
    )


async def change(visit: Visit) -> Redirect:
    default = visit.form.get("defaultIntegrationId", "")
    await visit.services.workspaces.change(
        visit.actor,
        name=visit.form.get("name", ""),
        default_integration_id=default or None,
        clear_default_integration=not default,
        timezone=visit.form.get("timezone"),
        locale=visit.form.get("locale"),
    )
    return Redirect("/manage/workspace", flash="workspace-changed")


NAV_LINKS = (
    NavLink("Workspace", "/manage/workspace", "viewer", 5, parent="/manage", hint="Name, time zone and date format"),
)
FLASH_MESSAGES = {"workspace-changed": "Workspace saved."}
PAGES = (
    PageRoute("GET", "/manage/workspace", show_workspace, "viewer", compress=True),
    PageRoute("POST", "/manage/workspace", change, "admin", form_view=show_workspace),
)
