"""`/manage/aliases`: aliases, their integrations and latest messages."""

from __future__ import annotations

from api.dashboard import check_form, display_names, manage
from api.dashboard.formatting import select_options
from api.dashboard.latest_message import find_latest_message
from api.dashboard.page import HtmlPage, NavLink, PageRoute, Redirect, Visit
from router.admin.paging import MAX_LIMIT
from router.admin.routes.reply_settings import ReplySettingsChange
from router.checks import policy
from router.checks.effect import CheckEffect
from router.filters import AliasFilter, IntegrationFilter
from router.replies.placeholders import PLACEHOLDERS


async def show_list(visit: Visit) -> HtmlPage:
    wanted = manage.requested_filter(visit, AliasFilter)
    batch = await visit.services.aliases.list(
        visit.actor, wanted, limit=manage.PER_PAGE, cursor=visit.query.get("cursor")
    )
    domains, integrations = await manage.list_domains(visit), await manage.list_integrations(visit)
    return manage.list_page(
        visit,
        "aliases.html",
        "Aliases",
        batch,
        wanted,
        options={"domain_id": select_options(domains), "integration_id": select_options(integrations)},
        domains=domains,
        integrations=integrations,
        names=await display_names.resolve(visit, (alias.integration_id for alias in batch.items)),
        failing=await _failing_ids(visit),
    )


async def create(visit: Visit) -> Redirect:
    alias = await visit.services.aliases.create(
        visit.actor,
        domain_id=visit.form.get("domainId", ""),
        local_part=visit.form.get("localPart", ""),
        integration_id=visit.form.get("integrationId", ""),
        forwarded_from=visit.form.get("forwardedFrom"),
    )
    return Redirect(f"/manage/aliases/{alias.id}", flash="alias-added")


async def show_alias(visit: Visit, effect: CheckEffect | None = None) -> HtmlPage:
    alias = await visit.services.aliases.get(visit.actor, visit.path_params["id"])
    latest = await find_latest_message(visit, alias)
    integrations = await manage.list_integrations(visit)
    workspace = await visit.services.workspaces.get(visit.actor)
    named_ids = [alias.integration_id, latest.delivery.integration_id if latest.delivery else None]
    names = await display_names.resolve(visit, named_ids)
    context = {
        "alias": alias,
        "latest": latest,
        "integrations": integrations,
        "names": names,
        "failing": await _failing_ids(visit),
        "templates": await visit.services.templates.list_all(visit.actor),
        "placeholders": PLACEHOLDERS,
        "checks": check_form.alias_form(alias.check_policy, policy.merge(workspace.check_policy), effect),
    }
    return HtmlPage("alias.html", alias.email, context)


async def _failing_ids(visit: Visit) -> set[str]:
    """Returns the ids of the newest 200 failing integrations."""
    wanted = IntegrationFilter(status="failing")
    return {each.id for each in (await visit.services.integrations.list(visit.actor, wanted, limit=MAX_LIMIT)).items}


async def change_settings(visit: Visit) -> Redirect:
    await visit.services.aliases.change(
        visit.actor,
        visit.path_params["id"],
        integration_id=visit.form.get("integrationId", ""),
        forwarded_from=visit.form.get("forwardedFrom"),
    )
    return _redirect_to_alias(visit, "alias-changed")


async def change_sender_checks(visit: Visit) -> Redirect | HtmlPage:
    """Saves the settings, or shows their effect if the form asks for a preview."""
    alias_id, changes = visit.path_params["id"], check_form.read_changes(visit.form)
    if check_form.PREVIEW in visit.form:
        return await show_alias(
            visit, await visit.services.check_previews.preview_alias(visit.actor, alias_id, changes)
        )
    await visit.services.aliases.change(visit.actor, alias_id, sender_checks=changes)
    return Redirect(f"/manage/aliases/{alias_id}#sender-checks", flash="sender-checks-changed")


async def change_reply_settings(visit: Visit) -> Redirect:
    form = visit.form
    change = ReplySettingsChange(
        sender_name=form.get("senderName", ""),
        signature=form.get("signature", ""),
        reply_to_token="replyToToken" in form,
        acknowledge_template_id=form.get("acknowledge", ""),
    )
    await visit.services.aliases.change(visit.actor, visit.path_params["id"], reply_settings=change)
    return Redirect(f"/manage/aliases/{visit.path_params['id']}#replies", flash="reply-settings-changed")


async def set_status(visit: Visit) -> Redirect:
    changed = await visit.services.aliases.change(
        visit.actor, visit.path_params["id"], status=visit.form.get("status", "")
    )
    return _redirect_to_alias(visit, "alias-on" if changed.status == "active" else "alias-off")


async def send_test_email(visit: Visit) -> Redirect:
    await visit.services.aliases.test(visit.actor, visit.path_params["id"])
    return _redirect_to_alias(visit, "test-mail-sent")


async def confirm_delete(visit: Visit) -> HtmlPage:
    alias = await visit.services.aliases.get(visit.actor, visit.path_params["id"])
    consequences = [
        "Mail to this address is then rejected, or goes to the catch-all alias of the domain if there is one.",
        "Existing tickets are kept. Canned responses of this alias alone are removed.",
    ]
    return manage.removal_page("alias", alias.email, f"/manage/aliases/{alias.id}", consequences)


async def delete(visit: Visit) -> Redirect:
    await visit.services.aliases.delete(visit.actor, visit.path_params["id"])
    return Redirect("/manage/aliases", flash="alias-removed")


def _redirect_to_alias(visit: Visit, flash: str) -> Redirect:
    return Redirect(f"/manage/aliases/{visit.path_params['id']}", flash=flash)


NAV_LINKS = (
    NavLink("Aliases", "/manage/aliases", "viewer", 20, parent="/manage", hint="The addresses that customers write to"),
)
FLASH_MESSAGES = {
    "alias-added": "Alias added.",
    "alias-changed": "Alias saved. New messages are posted to the selected integration.",
    "reply-settings-changed": "Reply settings saved.",
    "alias-on": "Alias enabled.",
    "alias-off": "Alias disabled. Mail to this address is rejected.",
    "alias-removed": "Alias removed.",
    "test-mail-sent": "Test email sent.",
}
PAGES = (
    PageRoute("GET", "/manage/aliases", show_list, "viewer", compress=True),
    PageRoute("POST", "/manage/aliases", create, "admin", form_view=show_list),
    PageRoute("GET", "/manage/aliases/{id}", show_alias, "viewer", compress=True),
    PageRoute("POST", "/manage/aliases/{id}", change_settings, "admin", form_view=show_alias),
    PageRoute("POST", "/manage/aliases/{id}/sender-checks", change_sender_checks, "admin", form_view=show_alias),
    PageRoute("POST", "/manage/aliases/{id}/replies", change_reply_settings, "admin", form_view=show_alias),
    PageRoute("POST", "/manage/aliases/{id}/status", set_status, "admin", form_view=show_alias),
    PageRoute("POST", "/manage/aliases/{id}/test", send_test_email, "admin", form_view=show_alias),
    PageRoute("GET", "/manage/aliases/{id}/delete", confirm_delete, "admin", compress=True),
    PageRoute("POST", "/manage/aliases/{id}/delete", delete, "admin", form_view=confirm_delete),
)
