"""`/manage/tags`: the tags of the workspace."""

from __future__ import annotations

from api.dashboard import manage
from api.dashboard.page import HtmlPage, NavLink, PageRoute, Redirect, Visit
from router.filters import TextFilter


async def show_list(visit: Visit) -> HtmlPage:
    wanted = manage.requested_filter(visit, TextFilter)
    batch = await visit.services.tickets.tags.list(
        visit.actor, wanted, limit=manage.PER_PAGE, cursor=visit.query.get("cursor")
    )
    return manage.list_page(visit, "tags.html", "Tags", batch, wanted)


async def show_tag(visit: Visit) -> HtmlPage:
    counted = await visit.services.tickets.tags.get(visit.actor, visit.path_params["id"])
    return HtmlPage("tag.html", counted.tag.name, {"counted": counted})


async def change(visit: Visit) -> Redirect:
    """Changes a tag, or merges it. A merge changes the colour of the other tag only if the form has a new colour."""
    tags, tag_id = visit.services.tickets.tags, visit.path_params["id"]
    color: str | None = visit.form.get("color", "").strip()
    if color == (await tags.get(visit.actor, tag_id)).tag.color:
        color = None
    changed = await tags.change(visit.actor, tag_id, name=visit.form.get("name", ""), color=color)
    flash = "tag-changed" if changed.tag.id == tag_id else "tag-merged"
    return Redirect(f"/manage/tags/{changed.tag.id}", flash=flash)


async def confirm_delete(visit: Visit) -> HtmlPage:
    tag = (await visit.services.tickets.tags.get(visit.actor, visit.path_params["id"])).tag
    return manage.removal_page("tag", tag.name, f"/manage/tags/{tag.id}", ["The tag is removed from its tickets."])


async def delete(visit: Visit) -> Redirect:
    await visit.services.tickets.tags.delete(visit.actor, visit.path_params["id"])
    return Redirect("/manage/tags", flash="tag-removed")


NAV_LINKS = (NavLink("Tags", "/manage/tags", "viewer", 40, parent="/manage", hint="The labels of tickets"),)
FLASH_MESSAGES = {
    "tag-changed": "Tag saved.",
    "tag-merged": "The tags were merged.",
    "tag-removed": "Tag removed.",
}
PAGES = (
    PageRoute("GET", "/manage/tags", show_list, "viewer", compress=True),
    PageRoute("GET", "/manage/tags/{id}", show_tag, "viewer", compress=True),
    PageRoute("POST", "/manage/tags/{id}", change, "admin", form_view=show_tag),
    PageRoute("GET", "/manage/tags/{id}/delete", confirm_delete, "admin", compress=True),
    PageRoute("POST", "/manage/tags/{id}/delete", delete, "admin", form_view=confirm_delete),
)
