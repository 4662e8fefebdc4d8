"""`/manage/workspace`: name, default integration, time zone, date format and sender checks."""

from __future__ import annotations

from api.dashboard import check_form, manage, timezones
from api.dashboard.page import HtmlPage, NavLink, PageRoute, Redirect, Visit
from router.checks.effect import CheckEffect


async def show_workspace(visit: Visit, effect: CheckEffect | None = None) -> HtmlPage:
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
            "checks": check_form.workspace_form(workspace.check_policy, effect),
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


async def change_sender_checks(visit: Visit) -> Redirect | HtmlPage:
    """Saves the settings, or shows their effect if the form asks for a preview."""
    changes = check_form.read_changes(visit.form)
    if check_form.PREVIEW in visit.form:
        return await show_workspace(visit, await visit.services.check_previews.preview_workspace(visit.actor, changes))
    await visit.services.workspaces.change(visit.actor, sender_checks=changes)
    return Redirect("/manage/workspace#sender-checks", flash="sender-checks-changed")


NAV_LINKS = (
    NavLink(
        "Workspace",
        "/manage/workspace",
        "viewer",
        5,
        parent="/manage",
        hint="Name, time zone, date format and sender checks",
    ),
)
FLASH_MESSAGES = {"workspace-changed": "Workspace saved.", "sender-checks-changed": "Sender checks saved."}
PAGES = (
    PageRoute("GET", "/manage/workspace", show_workspace, "viewer", compress=True),
    PageRoute("POST", "/manage/workspace", change, "admin", form_view=show_workspace),
    PageRoute("POST", "/manage/workspace/sender-checks", change_sender_checks, "admin", form_view=show_workspace),
)
