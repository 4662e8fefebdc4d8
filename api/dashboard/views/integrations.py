"""`/manage/integrations`: integrations. Secret settings are never shown."""

from __future__ import annotations

from api.dashboard import manage, setting_form
from api.dashboard.page import HtmlPage, NavLink, PageRoute, Redirect, Visit
from router.errors import Refused
from router.filters import IntegrationFilter


async def show_list(visit: Visit) -> HtmlPage:
    wanted = manage.requested_filter(visit, IntegrationFilter)
    batch = await visit.services.integrations.list(
        visit.actor, wanted, limit=manage.PER_PAGE, cursor=visit.query.get("cursor")
    )
    labels = {kind: type_.label for kind, type_ in visit.services.integrations.types.items()}
    return manage.list_page(
        visit,
        "integrations.html",
        "Integrations",
        batch,
        wanted,
        options={"type": list(labels.items())},
        labels=labels,
        **setting_form.type_context(visit),
    )


async def create(visit: Visit) -> Redirect:
    integration = await setting_form.create_integration(visit)
    return Redirect(f"/manage/integrations/{integration.id}", flash="integration-added")


async def show_integration(visit: Visit) -> HtmlPage:
    integration = await visit.services.integrations.get(visit.actor, visit.path_params["id"])
    aliases = [alias for alias in await manage.list_aliases(visit) if alias.integration_id == integration.id]
    type_ = visit.services.integrations.types.get(integration.type)
    return HtmlPage(
        "integration.html",
        integration.name,
        {
            "integration": integration,
            "type": type_,
            "foreign_host": setting_form.foreign_host(visit, type_),
            "aliases": aliases,
        },
    )


async def rename(visit: Visit) -> Redirect:
    await visit.services.integrations.change(visit.actor, visit.path_params["id"], name=visit.form.get("name", ""))
    return _redirect_to_integration(visit, "integration-renamed")


async def change_settings(visit: Visit) -> Redirect:
    """Changes the settings. Parked deliveries become due immediately."""
    await setting_form.change_settings(visit)
    return _redirect_to_integration(visit, "integration-changed")


async def test_integration(visit: Visit) -> Redirect:
    await send_test_message(visit, visit.path_params["id"])
    return _redirect_to_integration(visit, "test-arrived")


async def send_test_message(visit: Visit, integration_id: str) -> None:
    """Sends a test message. Raises `Refused` if the message was not delivered."""
    result = await visit.services.integrations.test(visit.actor, integration_id)
    if not result.ok:
        raise Refused("conflict", f"The test message was not delivered: {result.reason}")


async def confirm_delete(visit: Visit) -> HtmlPage:
    integration = await visit.services.integrations.get(visit.actor, visit.path_params["id"])
    consequences = [
        "Its queued deliveries fail permanently. An integration that is used by an alias cannot be removed.",
        "If it is the default integration, the workspace then has none.",
    ]
    path = f"/manage/integrations/{integration.id}"
    origin = manage.find_origin(visit)
    return manage.removal_page("integration", integration.name, path, consequences, origin=origin)


async def delete(visit: Visit) -> Redirect:
    await visit.services.integrations.delete(visit.actor, visit.path_params["id"])
    return Redirect(manage.path_after_removal(visit, "/manage/integrations"), flash="integration-removed")


def _redirect_to_integration(visit: Visit, flash: str) -> Redirect:
    return Redirect(f"/manage/integrations/{visit.path_params['id']}", flash=flash)


NAV_LINKS = (
    NavLink(
        "Integrations",
        "/manage/integrations",
        "viewer",
        30,
        parent="/manage",
        hint="The channels that tickets are posted to",
    ),
)
FLASH_MESSAGES = {
    "integration-added": "Integration added. Send a test message to check it.",
    "integration-renamed": "Name saved.",
    "integration-changed": "Settings saved. Held deliveries are sent now.",
    "integration-removed": "Integration removed.",
    "test-arrived": "Test message delivered.",
}
PAGES = (
    PageRoute("GET", "/manage/integrations", show_list, "viewer"),
    PageRoute("POST", "/manage/integrations", create, "admin", form_view=show_list),
    PageRoute("GET", "/manage/integrations/{id}", show_integration, "viewer"),
    PageRoute("POST", "/manage/integrations/{id}", rename, "admin", form_view=show_integration),
    PageRoute("POST", "/manage/integrations/{id}/settings", change_settings, "admin", form_view=show_integration),
    PageRoute("POST", "/manage/integrations/{id}/test", test_integration, "admin", form_view=show_integration),
    PageRoute("GET", "/manage/integrations/{id}/delete", confirm_delete, "admin"),
    PageRoute("POST", "/manage/integrations/{id}/delete", delete, "admin", form_view=confirm_delete),
)
