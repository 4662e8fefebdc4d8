"""`/manage/canned-responses`: the canned responses of the workspace."""

from __future__ import annotations

from typing import Any

from api.dashboard import manage, template_preview
from api.dashboard.page import HtmlPage, NavLink, PageRoute, Redirect, Visit
from router.admin.templates.canned_responses import CannedResponseChange
from router.filters import CannedResponseFilter

_PATH = "/manage/canned-responses"


async def show_list(visit: Visit) -> HtmlPage:
    wanted = manage.requested_filter(visit, CannedResponseFilter)
    batch = await visit.services.canned_responses.list(
        visit.actor, wanted, limit=manage.PER_PAGE, cursor=visit.query.get("cursor")
    )
    context = await _alias_context(visit)
    return manage.list_page(
        visit,
        "canned_responses.html",
        "Canned responses",
        batch,
        wanted,
        options={"alias_id": list(context["addresses"].items())},
        response=None,
        **template_preview.FIELDS,
        **context,
    )


async def create(visit: Visit) -> Redirect:
    created = await visit.services.canned_responses.create(
        visit.actor,
        title=visit.form.get("title", ""),
        body=visit.form.get("body", ""),
        alias_id=visit.form.get("aliasId") or None,
    )
    return Redirect(f"{_PATH}/{created.id}", flash="canned-response-added")


async def show_response(visit: Visit) -> HtmlPage:
    responses = visit.services.canned_responses
    response = await responses.get(visit.actor, visit.path_params["id"])
    preview = await template_preview.render_preview(
        visit, lambda ticket: responses.preview(visit.actor, response, ticket)
    )
    context = preview | await _alias_context(visit) | {"response": response}
    return HtmlPage("canned_response.html", response.title, context)


async def change(visit: Visit) -> Redirect:
    form, response_id = visit.form, visit.path_params["id"]
    wanted = CannedResponseChange(form.get("title", ""), form.get("body", ""), form.get("aliasId", ""))
    await visit.services.canned_responses.change(visit.actor, response_id, wanted)
    return Redirect(f"{_PATH}/{response_id}", flash="canned-response-changed")


async def confirm_delete(visit: Visit) -> HtmlPage:
    response = await visit.services.canned_responses.get(visit.actor, visit.path_params["id"])
    consequences = ["Sent mail keeps its text."]
    return manage.removal_page("canned response", response.title, f"{_PATH}/{response.id}", consequences)


async def delete(visit: Visit) -> Redirect:
    await visit.services.canned_responses.delete(visit.actor, visit.path_params["id"])
    return Redirect(_PATH, flash="canned-response-removed")


async def _alias_context(visit: Visit) -> dict[str, Any]:
    """Returns the addresses of the newest 200 aliases by id, and the options of the selection list."""
    aliases = sorted(await manage.list_aliases(visit), key=lambda alias: alias.email)
    addresses = {alias.id: alias.email for alias in aliases}
    return {"addresses": addresses, "alias_options": [("", "All aliases"), *addresses.items()]}


NAV_LINKS = (
    NavLink("Canned responses", _PATH, "viewer", 44, parent="/manage", hint="Texts that agents insert into replies"),
)
FLASH_MESSAGES = {
    "canned-response-added": "Canned response added.",
    "canned-response-changed": "Canned response saved.",
    "canned-response-removed": "Canned response removed.",
}
PAGES = (
    PageRoute("GET", _PATH, show_list, "viewer", compress=True),
    PageRoute("POST", _PATH, create, "admin", form_view=show_list),
    PageRoute("GET", f"{_PATH}/{{id}}", show_response, "viewer", compress=True),
    PageRoute("POST", f"{_PATH}/{{id}}", change, "admin", form_view=show_response),
    PageRoute("GET", f"{_PATH}/{{id}}/delete", confirm_delete, "admin", compress=True),
    PageRoute("POST", f"{_PATH}/{{id}}/delete", delete, "admin", form_view=confirm_delete),
)
