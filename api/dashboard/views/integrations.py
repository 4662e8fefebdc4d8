"""Integrations: where tickets are posted to, whether that works, and how it is mended. The URL is never shown."""

from __future__ import annotations

from api.dashboard import manage
from api.dashboard.page import Html, Page, See, Visit
from router.errors import Refused

TYPE = "slack"  # of a form that names none


async def page(visit: Visit) -> Html:
    found = await visit.services.integrations.list(visit.actor, limit=manage.PER_PAGE, cursor=visit.query.get("cursor"))
    return manage.list_page(visit, "integrations.html", "Integrations", found)


async def create(visit: Visit) -> See:
    made = await visit.services.integrations.create(
        visit.actor,
        type=visit.form.get("type", TYPE),
        name=visit.form.get("name", ""),
        settings={"webhookUrl": visit.form.get("webhookUrl", "").strip()},
    )
    return See(f"/manage/integrations/{made.id}", note="integration-added")


async def show(visit: Visit) -> Html:
    integration = await visit.services.integrations.get(visit.actor, visit.ids["id"])
    aliases = [alias for alias in await manage.list_aliases(visit) if alias.integration_id == integration.id]
    return manage.manage_page(visit, "integration.html", integration.name, integration=integration, aliases=aliases)


async def rename(visit: Visit) -> See:
    await visit.services.integrations.change(visit.actor, visit.ids["id"], name=visit.form.get("name", ""))
    return _back(visit, "integration-renamed")


async def set_url(visit: Visit) -> See:
    """A new URL heals a failing integration: what waits is sent at once."""
    url = visit.form.get("webhookUrl", "").strip()
    await visit.services.integrations.change(visit.actor, visit.ids["id"], settings={"webhookUrl": url})
    return _back(visit, "integration-moved")


async def test(visit: Visit) -> See:
    await try_out(visit, visit.ids["id"])
    return _back(visit, "test-arrived")


async def try_out(visit: Visit, integration_id: str) -> None:
    """Sends a test message; raises `Refused` with what the other side said when it did not arrive."""
    result = await visit.services.integrations.test(visit.actor, integration_id)
    if not result.ok:
        raise Refused("conflict", f"The test message was not delivered: {result.reason}")


async def ask(visit: Visit) -> Html:
    integration = await visit.services.integrations.get(visit.actor, visit.ids["id"])
    path = f"/manage/integrations/{integration.id}"
    says = ["Its queued deliveries fail permanently. An integration that is used by an alias cannot be removed."]
    return manage.confirmation_page(
        visit,
        f"Remove {integration.name}?",
        says,
        action=f"{path}/delete",
        label="Remove integration",
        cancel_path=path,
    )


async def delete(visit: Visit) -> See:
    await visit.services.integrations.delete(visit.actor, visit.ids["id"])
    return See("/manage/integrations", note="integration-removed")


def _back(visit: Visit, note: str) -> See:
    return See(f"/manage/integrations/{visit.ids['id']}", note=note)


NOTES = {
    "integration-added": "Integration added. Send a test message to check it.",
    "integration-renamed": "Name saved.",
    "integration-moved": "URL saved. Parked deliveries are sent now.",
    "integration-removed": "Integration removed.",
    "test-arrived": "Test message delivered.",
}
PAGES = (
    Page("GET", "/manage/integrations", page, "viewer"),
    Page("POST", "/manage/integrations", create, "admin", again=page),
    Page("GET", "/manage/integrations/{id}", show, "viewer"),
    Page("POST", "/manage/integrations/{id}", rename, "admin", again=show),
    Page("POST", "/manage/integrations/{id}/url", set_url, "admin", again=show),
    Page("POST", "/manage/integrations/{id}/test", test, "admin", again=show),
    Page("GET", "/manage/integrations/{id}/delete", ask, "admin"),
    Page("POST", "/manage/integrations/{id}/delete", delete, "admin", again=ask),
)
