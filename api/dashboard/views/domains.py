"""Domains: what is to be added to the DNS, what is there, and how it is mended."""

from __future__ import annotations

from api.dashboard import display_names, manage
from api.dashboard.page import Html, Page, See, Visit


async def page(visit: Visit) -> Html:
    found = await visit.services.domains.list(visit.actor, limit=manage.PER_PAGE, cursor=visit.query.get("cursor"))
    return manage.list_page(visit, "domains.html", "Domains", found)


async def create(visit: Visit) -> See:
    view = await visit.services.domains.create(visit.actor, visit.form.get("domain", ""))
    return See(f"/manage/domains/{view.domain.id}", note="domain-added")


async def show(visit: Visit) -> Html:
    view = await visit.services.domains.get(visit.actor, visit.ids["id"])
    aliases = await manage.list_aliases(visit, view.domain.id)
    names = await display_names.resolve(visit, (alias.integration_id for alias in aliases))
    return manage.manage_page(visit, "domain.html", view.domain.name, view=view, aliases=aliases, names=names)


async def verify(visit: Visit) -> See:
    view = await visit.services.domains.verify(visit.actor, visit.ids["id"])
    return See(f"/manage/domains/{view.domain.id}", note=checked(view.domain.status))


def checked(status: str) -> str:
    """The note after a check."""
    return "domain-verified" if status == "active" else "domain-waits"


async def upstream(visit: Visit) -> See:
    """Says who stands in the MX records."""
    view = await visit.services.domains.set_mx_upstream(
        visit.actor, visit.ids["id"], visit.form.get("mxManagedUpstream") == "true"
    )
    return See(f"/manage/domains/{view.domain.id}", note="domain-changed")


async def ask(visit: Visit) -> Html:
    view = await visit.services.domains.get(visit.actor, visit.ids["id"])
    name, count, path = view.domain.name, view.alias_count, f"/manage/domains/{view.domain.id}"
    says = [f"Mail to {name} is then rejected. Existing tickets are kept."]
    if count:
        says.append("Its alias is removed too." if count == 1 else f"Its {count} aliases are removed too.")
    force = {"force": "true"} if count else {}
    return manage.confirmation_page(
        visit, f"Remove {name}?", says, action=f"{path}/delete", label="Remove domain", cancel_path=path, **force
    )


async def delete(visit: Visit) -> See:
    """With its aliases only where the page that asked has said so."""
    force = visit.form.get("force") == "true"
    await visit.services.domains.delete(visit.actor, visit.ids["id"], force=force)
    return See("/manage/domains", note="domain-removed")


NOTES = {
    "domain-added": "Domain added. Add its DNS records to verify it.",
    "domain-verified": "Domain verified. Its mail is accepted.",
    "domain-waits": "The DNS records are not correct yet. The fix is shown with each record.",
    "domain-changed": "Domain saved. Check its records again.",
    "domain-removed": "Domain removed.",
}
PAGES = (
    Page("GET", "/manage/domains", page, "viewer"),
    Page("POST", "/manage/domains", create, "admin", again=page),
    Page("GET", "/manage/domains/{id}", show, "viewer"),
    Page("POST", "/manage/domains/{id}/verify", verify, "admin", again=show),
    Page("POST", "/manage/domains/{id}/upstream", upstream, "admin", again=show),
    Page("GET", "/manage/domains/{id}/delete", ask, "admin"),
    Page("POST", "/manage/domains/{id}/delete", delete, "admin", again=ask),
)
