"""Aliases: an address, where its tickets go, and a test mail that is followed on the page."""

from __future__ import annotations

from api.dashboard import display_names, manage
from api.dashboard.latest_message import find_latest_message
from api.dashboard.page import Html, Page, See, Visit


async def page(visit: Visit) -> Html:
    asked = visit.query.get("domainId") or None
    found = await visit.services.aliases.list(
        visit.actor, domain_id=asked, limit=manage.PER_PAGE, cursor=visit.query.get("cursor")
    )
    return manage.list_page(
        visit,
        "aliases.html",
        "Aliases",
        found,
        domains=await manage.list_domains(visit),
        integrations=await manage.list_integrations(visit),
        names=await display_names.resolve(visit, (alias.integration_id for alias in found.items)),
        asked=asked,
    )


async def create(visit: Visit) -> See:
    alias = await visit.services.aliases.create(
        visit.actor,
        domain_id=visit.form.get("domainId", ""),
        local_part=visit.form.get("localPart", ""),
        integration_id=visit.form.get("integrationId", ""),
    )
    return See(f"/manage/aliases/{alias.id}", note="alias-added")


async def show(visit: Visit) -> Html:
    alias = await visit.services.aliases.get(visit.actor, visit.ids["id"])
    latest = await find_latest_message(visit, alias)
    integrations = await manage.list_integrations(visit)
    mentioned = [alias.integration_id, latest.delivery.integration_id if latest.delivery else None]
    names = await display_names.resolve(visit, mentioned)
    return manage.manage_page(
        visit, "alias.html", alias.email, alias=alias, latest=latest, integrations=integrations, names=names
    )


async def change(visit: Visit) -> See:
    """Points it elsewhere."""
    await visit.services.aliases.change(
        visit.actor, visit.ids["id"], integration_id=visit.form.get("integrationId", "")
    )
    return _back(visit, "alias-changed")


async def set_status(visit: Visit) -> See:
    """Switches it on or off."""
    changed = await visit.services.aliases.change(visit.actor, visit.ids["id"], status=visit.form.get("status", ""))
    return _back(visit, "alias-on" if changed.status == "active" else "alias-off")


async def test(visit: Visit) -> See:
    await visit.services.aliases.test(visit.actor, visit.ids["id"])
    return _back(visit, "test-mail-sent")


async def ask(visit: Visit) -> Html:
    alias = await visit.services.aliases.get(visit.actor, visit.ids["id"])
    path = f"/manage/aliases/{alias.id}"
    says = [
        "Mail to this address is then rejected, or goes to the catch-all alias of the domain if there is one.",
        "Existing tickets are kept.",
    ]
    return manage.confirmation_page(
        visit, f"Remove {alias.email}?", says, action=f"{path}/delete", label="Remove alias", cancel_path=path
    )


async def delete(visit: Visit) -> See:
    await visit.services.aliases.delete(visit.actor, visit.ids["id"])
    return See("/manage/aliases", note="alias-removed")


def _back(visit: Visit, note: str) -> See:
    return See(f"/manage/aliases/{visit.ids['id']}", note=note)


NOTES = {
    "alias-added": "Alias added.",
    "alias-changed": "Alias saved. New tickets go to this integration.",
    "alias-on": "Alias enabled.",
    "alias-off": "Alias disabled. Mail to this address is rejected.",
    "alias-removed": "Alias removed.",
    "test-mail-sent": "Test email sent.",
}
PAGES = (
    Page("GET", "/manage/aliases", page, "viewer"),
    Page("POST", "/manage/aliases", create, "admin", again=page),
    Page("GET", "/manage/aliases/{id}", show, "viewer"),
    Page("POST", "/manage/aliases/{id}", change, "admin", again=show),
    Page("POST", "/manage/aliases/{id}/status", set_status, "admin", again=show),
    Page("POST", "/manage/aliases/{id}/test", test, "admin", again=show),
    Page("GET", "/manage/aliases/{id}/delete", ask, "admin"),
    Page("POST", "/manage/aliases/{id}/delete", delete, "admin", again=ask),
)
