"""`/manage/templates`: the templates of the workspace."""

from __future__ import annotations

from aiohttp import web

from api.dashboard import manage, message_frame, template_preview
from api.dashboard.page import HtmlPage, NavLink, PageRoute, Redirect, Visit
from api.dashboard.page_headers import set_message_headers
from router.admin.templates.templates import TemplateChange
from router.errors import not_found_error
from router.filters import TextFilter

_PATH = "/manage/templates"


async def show_list(visit: Visit) -> HtmlPage:
    wanted = manage.requested_filter(visit, TextFilter)
    batch = await visit.services.templates.list(
        visit.actor, wanted, limit=manage.PER_PAGE, cursor=visit.query.get("cursor")
    )
    context = template_preview.FIELDS | {"edited": None}
    return manage.list_page(visit, "templates.html", "Templates", batch, wanted, **context)


async def create(visit: Visit) -> Redirect:
    form = visit.form
    created = await visit.services.templates.create(
        visit.actor,
        name=form.get("name", ""),
        subject=form.get("subject", ""),
        body=form.get("body", ""),
        mode=form.get("mode", ""),
    )
    return Redirect(f"{_PATH}/{created.id}", flash="template-added")


async def show_template(visit: Visit) -> HtmlPage:
    templates = visit.services.templates
    template = await templates.get(visit.actor, visit.path_params["id"])
    preview = await template_preview.render_preview(
        visit, lambda ticket: templates.preview(visit.actor, template, ticket)
    )
    aliases = await manage.list_aliases(visit)
    users = [alias for alias in aliases if alias.acknowledge_template_id == template.id]
    return HtmlPage(
        "template.html", template.name, preview | {"template": template, "edited": template, "users": users}
    )


async def show_html(visit: Visit) -> web.Response:
    """Shows the HTML of a template in a frame, for the ticket of the query or an invented one."""
    templates = visit.services.templates
    template = await templates.get(visit.actor, visit.path_params["id"])
    rendered = await templates.preview(visit.actor, template, visit.query.get("ticket", ""))
    if not rendered.html:
        raise not_found_error("HTML")
    response = web.Response(text=message_frame.build_document(rendered.html, {}), content_type="text/html")
    set_message_headers(response, is_framed=True)
    return response


async def change(visit: Visit) -> Redirect:
    form, template_id = visit.form, visit.path_params["id"]
    wanted = TemplateChange(form.get("name", ""), form.get("subject", ""), form.get("body", ""), form.get("mode", ""))
    await visit.services.templates.change(visit.actor, template_id, wanted)
    return Redirect(f"{_PATH}/{template_id}", flash="template-changed")


async def confirm_delete(visit: Visit) -> HtmlPage:
    template = await visit.services.templates.get(visit.actor, visit.path_params["id"])
    consequences = ["Sent mail keeps its text."]
    return manage.removal_page("template", template.name, f"{_PATH}/{template.id}", consequences)


async def delete(visit: Visit) -> Redirect:
    await visit.services.templates.delete(visit.actor, visit.path_params["id"])
    return Redirect(_PATH, flash="template-removed")


NAV_LINKS = (NavLink("Templates", _PATH, "viewer", 42, parent="/manage", hint="Texts of replies and acknowledgements"),)
FLASH_MESSAGES = {
    "template-added": "Template added.",
    "template-changed": "Template saved.",
    "template-removed": "Template removed.",
}
PAGES = (
    PageRoute("GET", _PATH, show_list, "viewer", compress=True),
    PageRoute("POST", _PATH, create, "admin", form_view=show_list),
    PageRoute("GET", f"{_PATH}/{{id}}", show_template, "viewer", compress=True),
    PageRoute("GET", f"{_PATH}/{{id}}/html", show_html, "viewer", is_fragment=True, compress=True),
    PageRoute("POST", f"{_PATH}/{{id}}", change, "admin", form_view=show_template),
    PageRoute("GET", f"{_PATH}/{{id}}/delete", confirm_delete, "admin", compress=True),
    PageRoute("POST", f"{_PATH}/{{id}}/delete", delete, "admin", form_view=confirm_delete),
)
