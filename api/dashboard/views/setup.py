"""`/set-up`: guides an admin to the first ticket."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from api.dashboard import setting_form, setup_progress, users
from api.dashboard.latest_message import LatestMessage
from api.dashboard.page import HtmlPage, NavLink, PageRoute, Redirect, Visit
from api.dashboard.server_checks import check_lines
from api.dashboard.setup_progress import SetupProgress, StepState
from api.dashboard.views.domains import add_and_check, verification_flash
from api.dashboard.views.integrations import send_test_message
from api.dashboard.views.users import link_page
from api.middleware.rate_limit import REFRESH_HEADER
from router.admin.installation.reachability import CACHE_SECONDS
from router.dns.receivers import suggest_subdomain
from router.enumerations import ROLE
from router.errors import Refused
from router.model import Integration

MAX_COLLEAGUES = 5  # shown on the page


async def show_setup(visit: Visit) -> HtmlPage:
    progress = await setup_progress.load_progress(visit)
    check_problem = await _check_domain(visit, progress)
    if check_problem is not None:
        progress = await setup_progress.load_progress(visit)
    latest = await setup_progress.find_latest(visit, progress)
    reach = await visit.services.reachability.get(visit.actor)
    colleagues = [user for user in await users.list_users(visit) if user.id != visit.actor.user_id]
    steps = progress.step_states(latest, reach, has_colleagues=bool(colleagues))
    context = {
        "progress": progress,
        "reach": reach,
        "server_lines": check_lines(reach.results or ()),
        "check_seconds": int(CACHE_SECONDS),
        "steps": steps,
        "current_step": setup_progress.find_current_step(steps, is_postponed=reach.is_postponed),
        "is_waiting": _is_waiting(steps, latest),
        "latest": latest,
        "colleagues": colleagues[:MAX_COLLEAGUES],
        "more_colleagues": len(colleagues) > MAX_COLLEAGUES,
        "roles": ROLE.options(),
        "check_problem": check_problem or "",
        **await _domain_context(visit, progress),
        **_type_context(visit, progress.integration),
    }
    return HtmlPage("setup.html", "Setup", context)


async def _check_domain(visit: Visit, progress: SetupProgress) -> str | None:
    """Checks the records for an open page that is refreshed automatically.

    Returns None without a check, else why the domain is not verified although its records are correct, or "".
    """
    if REFRESH_HEADER not in visit.request.headers or progress.domain is None or progress.is_verified:
        return None
    try:
        await visit.services.domains.verify_if_stale(visit.actor, progress.domain.id)
    except Refused as refusal:
        return refusal.message
    return ""


async def _domain_context(visit: Visit, progress: SetupProgress) -> dict[str, object]:
    domains, domain = visit.services.domains, progress.domain
    text = visit.query.get("domain", "")
    preview = await domains.preview(visit.actor, text) if domain is None and text and visit.error is None else None
    return {
        "preview": preview,
        "view": await setup_progress.get_domain_view(visit, progress),
        "subdomain": suggest_subdomain(domain.name) if domain is not None else "",
        "parent": await domains.preview_parent(visit.actor, domain.name) if domain is not None else None,
    }


async def continue_without_server(visit: Visit) -> Redirect:
    await visit.services.reachability.postpone(visit.actor)
    return _redirect_to_step("", "domain")


async def add_domain(visit: Visit) -> Redirect:
    """Adds a domain and checks it, unless its mail goes to another server and the form does not confirm the move."""
    domains = visit.services.domains
    preview = await domains.preview(visit.actor, visit.form.get("domain", ""))
    is_clear = not (preview.moves_all_mail or preview.failure or preview.name_without_www)
    if not is_clear and not preview.domain_id and visit.form.get("confirmed") != preview.name:
        return _redirect_to_step("", "domain", f"?domain={quote(preview.name)}")
    _, flash = await add_and_check(visit, preview.name)
    return _redirect_to_step(flash, "domain")


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
        forwarded_from=visit.form.get("forwardedFrom"),
    )
    return _redirect_to_step("alias-added", "alias")


async def send_test_email(visit: Visit) -> Redirect:
    await visit.services.aliases.test(visit.actor, visit.path_params["id"])
    return _redirect_to_step("test-mail-sent", "mail")


async def invite(visit: Visit) -> HtmlPage:
    """Shows the link. A repeated form is refused, because the email address is in use."""
    invitation = await visit.services.users.invite(
        visit.actor, email=visit.form.get("email", ""), role=visit.form.get("role", "")
    )
    return link_page(
        "Invitation", invitation.user, invitation.link, back_path="/set-up#step-people", back_label="Back to setup"
    )


def _is_waiting(steps: Mapping[str, StepState], latest: LatestMessage | None) -> bool:
    """Returns whether a step can change its state without an event that updates the page."""
    return (
        steps["server"] == "unreachable" or steps["domain"] == "pending" or (latest is not None and latest.is_pending)
    )


def _type_context(visit: Visit, integration: Integration | None) -> dict[str, object]:
    if integration is None:
        return setting_form.type_context(visit)
    selected = visit.services.integrations.types.get(integration.type)
    return {"selected": selected, "foreign_host": setting_form.foreign_host(visit, selected)}


def _redirect_to_step(flash: str, step: str, query: str = "") -> Redirect:
    return Redirect(f"/set-up{query}#step-{step}", flash=flash)


NAV_LINKS = (NavLink("Setup", "/set-up", "admin", 90, parent="/manage", hint="The steps to the first ticket"),)
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
    PageRoute("POST", "/set-up/invite", invite, "admin", form_view=show_setup),
)
