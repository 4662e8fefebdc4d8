"""`/set-up`: from nothing to the first ticket on one page. What is done is seen by what there is (`progress`)."""

from __future__ import annotations

from api.dashboard import setup_progress
from api.dashboard.page import Html, Page, See, Visit
from api.dashboard.views.domains import checked
from api.dashboard.views.integrations import TYPE, try_out


async def show(visit: Visit) -> Html:
    progress = await setup_progress.load_progress(visit)
    latest = await setup_progress.find_latest(visit, progress)
    context = {
        "progress": progress,
        "steps": progress.step_states(latest),
        "view": await setup_progress.get_domain_view(visit, progress),
        "latest": latest,
    }
    return Html("setup.html", "Setup", context)


async def domain(visit: Visit) -> See:
    await visit.services.domains.create(visit.actor, visit.form.get("domain", ""))
    return _back("domain-added", "domain")


async def verify(visit: Visit) -> See:
    view = await visit.services.domains.verify(visit.actor, visit.ids["id"])
    return _back(checked(view.domain.status), "domain")


async def integration(visit: Visit) -> See:
    """Made and tried out at once: an integration that does not work is better known now."""
    made = await visit.services.integrations.create(
        visit.actor,
        type=TYPE,
        name=visit.form.get("name", ""),
        settings={"webhookUrl": visit.form.get("webhookUrl", "").strip()},
    )
    await try_out(visit, made.id)
    return _back("test-arrived", "integration")


async def url(visit: Visit) -> See:
    """Another URL for an integration whose test did not arrive."""
    settings = {"webhookUrl": visit.form.get("webhookUrl", "").strip()}
    await visit.services.integrations.change(visit.actor, visit.ids["id"], settings=settings)
    await try_out(visit, visit.ids["id"])
    return _back("test-arrived", "integration")


async def test_message(visit: Visit) -> See:
    await try_out(visit, visit.ids["id"])
    return _back("test-arrived", "integration")


async def alias(visit: Visit) -> See:
    await visit.services.aliases.create(
        visit.actor,
        domain_id=visit.form.get("domainId", ""),
        local_part=visit.form.get("localPart", ""),
        integration_id=visit.form.get("integrationId", ""),
    )
    return _back("alias-added", "alias")


async def test_mail(visit: Visit) -> See:
    await visit.services.aliases.test(visit.actor, visit.ids["id"])
    return _back("test-mail-sent", "mail")


def _back(note: str, step: str) -> See:
    return See(f"/set-up#step-{step}", note=note)


PAGES = (
    Page("GET", "/set-up", show, "admin"),
    Page("POST", "/set-up/domain", domain, "admin", again=show),
    Page("POST", "/set-up/domains/{id}/verify", verify, "admin", again=show),
    Page("POST", "/set-up/integration", integration, "admin", again=show),
    Page("POST", "/set-up/integrations/{id}/url", url, "admin", again=show),
    Page("POST", "/set-up/integrations/{id}/test", test_message, "admin", again=show),
    Page("POST", "/set-up/alias", alias, "admin", again=show),
    Page("POST", "/set-up/aliases/{id}/test", test_mail, "admin", again=show),
)
