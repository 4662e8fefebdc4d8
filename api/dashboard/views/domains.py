"""`/manage/domains`: domains and their DNS records."""

from __future__ import annotations

from api.dashboard import display_names, manage
from api.dashboard.page import HtmlPage, NavLink, PageRoute, Redirect, Visit
from router.errors import Refused
from router.filters import DomainFilter


async def show_list(visit: Visit) -> HtmlPage:
    wanted = manage.requested_filter(visit, DomainFilter)
    batch = await visit.services.domains.list(
        visit.actor, wanted, limit=manage.PER_PAGE, cursor=visit.query.get("cursor")
    )
    return manage.list_page(visit, "domains.html", "Domains", batch, wanted)


async def create(visit: Visit) -> Redirect:
    domain_id, flash = await add_and_check(visit, visit.form.get("domain", ""))
    return Redirect(f"/manage/domains/{domain_id}", flash=flash)


async def add_and_check(visit: Visit, name: str) -> tuple[str, str]:
    """Adds a domain and checks it, so that its page says who receives its mail now. Returns its id and the message."""
    domains = visit.services.domains
    added = await domains.create(visit.actor, name)
    try:
        checked = await domains.verify(visit.actor, added.domain.id)
    except Refused as refusal:
        if refusal.code != "domain_taken":
            raise
        return added.domain.id, "domain-added"  # the reason is shown when the records are checked again
    return added.domain.id, "domain-verified" if checked.domain.status == "active" else "domain-added"


async def show_domain(visit: Visit) -> HtmlPage:
    view = await visit.services.domains.get(visit.actor, visit.path_params["id"])
    aliases = await manage.list_aliases(visit, view.domain.id)
    names = await display_names.resolve(visit, (alias.integration_id for alias in aliases))
    return HtmlPage("domain.html", view.domain.name, {"view": view, "aliases": aliases, "names": names})


async def verify(visit: Visit) -> Redirect:
    view = await visit.services.domains.verify(visit.actor, visit.path_params["id"])
    return Redirect(f"/manage/domains/{view.domain.id}", flash=verification_flash(view.domain.status))


def verification_flash(status: str) -> str:
    return "domain-verified" if status == "active" else "domain-waits"


async def set_mx_upstream(visit: Visit) -> Redirect:
    view = await visit.services.domains.set_mx_upstream(
        visit.actor, visit.path_params["id"], visit.form.get("mxManagedUpstream") == "true"
    )
    return Redirect(f"/manage/domains/{view.domain.id}", flash="domain-changed")


async def confirm_delete(visit: Visit) -> HtmlPage:
    view = await visit.services.domains.get(visit.actor, visit.path_params["id"])
    name, count = view.domain.name, view.alias_count
    consequences = [f"Mail to {name} is then rejected. Existing tickets are kept."]
    if count:
        consequences.append("Its alias is removed too." if count == 1 else f"Its {count} aliases are removed too.")
    force = {"force": "true"} if count else {}
    path, origin = f"/manage/domains/{view.domain.id}", manage.find_origin(visit)
    return manage.removal_page("domain", name, path, consequences, origin=origin, **force)


async def delete(visit: Visit) -> Redirect:
    """Removes the domain.

    A domain with aliases is removed only with `force`, which the form contains if the confirmation page mentioned them.
    """
    force = visit.form.get("force") == "true"
    await visit.services.domains.delete(visit.actor, visit.path_params["id"], force=force)
    return Redirect(manage.path_after_removal(visit, "/manage/domains"), flash="domain-removed")


NAV_LINKS = (
    NavLink("Domains", "/manage/domains", "viewer", 10, parent="/manage", hint="Whose mail this workspace receives"),
)
FLASH_MESSAGES = {
    "domain-added": "Domain added. Add its DNS records to verify it.",
    "domain-verified": "Domain verified.",
    "domain-waits": "The DNS records are not correct yet. The fix is shown with each record.",
    "domain-changed": "Domain saved. Check its records again.",
    "domain-removed": "Domain removed.",
}
PAGES = (
    PageRoute("GET", "/manage/domains", show_list, "viewer", compress=True),
    PageRoute("POST", "/manage/domains", create, "admin", form_view=show_list),
    PageRoute("GET", "/manage/domains/{id}", show_domain, "viewer", compress=True),
    PageRoute("POST", "/manage/domains/{id}/verify", verify, "admin", form_view=show_domain),
    PageRoute("POST", "/manage/domains/{id}/upstream", set_mx_upstream, "admin", form_view=show_domain),
    PageRoute("GET", "/manage/domains/{id}/delete", confirm_delete, "admin", compress=True),
    PageRoute("POST", "/manage/domains/{id}/delete", delete, "admin", form_view=confirm_delete),
)
