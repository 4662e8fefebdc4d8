"""`/set-up`: guides an admin to the first ticket."""

from __future__ import annotations

from collections.abc import Mapping

from api.dashboard import setting_form, setup_progress
from api.dashboard.latest_message import LatestMessage
from api.dashboard.page import HtmlPage, NavLink, PageRoute, Redirect, Visit
from api.dashboard.server_checks import check_lines
from api.dashboard.setup_progress import StepState
from api.dashboard.views.domains import verification_flash
from api.dashboard.views.integrations import send_test_message
from router.admin.installation.reachability import CACHE_SECONDS
from router.model import Integration


async def show_setup(visit: Visit) -> HtmlPage:
    progress = await setup_progress.load_progress(visit)
    latest = await setup_progress.find_latest(visit, progress)
    reach = await visit.services.reachability.get(visit.actor)
    steps = progress.step_states(latest, reach)
    context = {
        "progress": progress,
        "reach": reach,
        "server_lines": check_lines(reach.results or ()),
        "check_seconds": int(CACHE_SECONDS),
        "steps": steps,
        "is_waiting": _is_waiting(steps, latest),
        "view": await setup_progress.get_domain_view(visit, progress),
        "latest": latest,
        **_type_context(visit, progress.integration),
    }
    return HtmlPage("setup.html", "Setup", context)


async def continue_without_server(visit: Visit) -> Redirect:
    await visit.services.reachability.postpone(visit.actor)
    return _redirect_to_step("", "domain")


async def add_domain(visit: Visit) -> Redirect:
    await visit.services.domains.create(visit.actor, visit.form.get("domain", ""))
    return _redirect_to_step("domain-added", "domain")


async def verify_domain(visit: Visit) -> Redirect:
    view = await visit.services.domains.verify(visit.actor, visit.path_params["id"])
    return _redirect_to_step(verification_flash(view.domain.status), "domain")


async def add_integration(visit: Visit) -> Redirect:
    """Adds an integration and sends a test message, so that invalid settings are noticed immediately."""
    integration = await setting_form.create_integration(visit)
    await send_test_message(visit, integration.id)
    return _redirect_to_step("test-arrived", "integration")


async def change_integration(visit: Visit) -> Redirect:
    await setting_form.change_settings(visit)
    await send_test_message(visit, visit.path_params["id"])
    return _redirect_to_step("test-arrived", "integration")


async def test_integration(visit: Visit) -> Redirect:
    await send_test_message(visit, visit.path_params["id"])
    return _redirect_to_step("test-arrived", "integration")


async def add_alias(visit: Visit) -> Redirect:
    await visit.services.aliases.create(
        visit.actor,
        domain_id=visit.form.get("domainId", ""),
        local_part=visit.form.get("localPart", ""),
        integration_id=visit.form.get("integrationId", ""),
    )
    return _redirect_to_step("alias-added", "alias")


async def send_test_email(visit: Visit) -> Redirect:
    await visit.services.aliases.test(visit.actor, visit.path_params["id"])
    return _redirect_to_step("test-mail-sent", "mail")


def _is_waiting(steps: Mapping[str, StepState], latest: LatestMessage | None) -> bool:
    """Returns whether a step can change its state without an event that updates the page."""
    return (
        steps["server"] == "unreachable" or steps["domain"] == "pending" or (latest is not None and latest.is_pending)
    )


def _type_context(visit: Visit, integration: Integration | None) -> dict[str, object]:
    if integration is None:
        return setting_form.type_context(visit)
    return {"selected": visit.services.integrations.types.get(integration.type)}


def _redirect_to_step(flash: str, step: str) -> Redirect:
    return Redirect(f"/set-up#step-{step}", flash=flash)


NAV_LINKS = (NavLink("Setup", "/set-up", "admin", 90, parent="/manage"),)
PAGES = (
    PageRoute("GET", "/set-up", show_setup, "admin"),
    PageRoute("POST", "/set-up/server/later", continue_without_server, "admin", form_view=show_setup),
    PageRoute("POST", "/set-up/domain", add_domain, "admin", form_view=show_setup),
    PageRoute("POST", "/set-up/domains/{id}/verify", verify_domain, "admin", form_view=show_setup),
    PageRoute("POST", "/set-up/integration", add_integration, "admin", form_view=show_setup),
    PageRoute("POST", "/set-up/integrations/{id}/settings", change_integration, "admin", form_view=show_setup),
    PageRoute("POST", "/set-up/integrations/{id}/test", test_integration, "admin", form_view=show_setup),
    PageRoute("POST", "/set-up/alias", add_alias, "admin", form_view=show_setup),
    PageRoute("POST", "/set-up/aliases/{id}/test", send_test_email, "admin", form_view=show_setup),
)
