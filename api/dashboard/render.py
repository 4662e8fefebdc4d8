"""Renders templates to HTML responses. Every value except `Markup` is escaped; an undefined name is an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from secrets import token_urlsafe
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api import compression
from api.dashboard import display_options, formatting, setup_progress, users
from api.dashboard.assets import FOLDER, Assets
from api.dashboard.avatars import team_hues
from api.dashboard.flash import path_without_flash, read_flash
from api.dashboard.page import HtmlPage, NavLink, Visit
from api.dashboard.page_headers import set_page_headers
from router.admin.installation.attention import AttentionCounts
from router.admin.tickets.tag_names import MAX_NAME_LENGTH as MAX_TAG_LENGTH
from router.clock import Clock
from router.errors import Refused
from router.local_time import UTC_TIME, LocalTime


@cache
def _environment() -> Environment:
    """Returns the templates, each of which a process compiles once, also for several renderers."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER.parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals["query"] = _query_string
    environment.globals["new_token"] = lambda: token_urlsafe(12)
    environment.globals["max_tag_length"] = MAX_TAG_LENGTH
    environment.filters.update(formatting.FILTERS)
    return environment


class Renderer:
    """Renders the pages of a server."""

    def __init__(
        self, assets: Assets, nav_links: Sequence[NavLink], flash_messages: Mapping[str, str], clock: Clock
    ) -> None:
        self._nav_links = sorted(nav_links, key=lambda link: link.position)
        self._flash_messages = flash_messages
        self._values = {"asset": assets.path, "now": clock.now}

    async def render_page(self, visit: Visit, page: HtmlPage) -> web.Response:
        me = None if visit.caller is None else await visit.services.sessions.get_identity(visit.caller.actor)
        if me is not None and (me.user is None or me.workspace is None):
            raise Refused("unauthorized", "Your account was removed")
        attention = (
            AttentionCounts() if visit.caller is None else await visit.services.attention.get_counts(visit.caller.actor)
        )
        lists = visit.services.tickets.lists
        counts = None if visit.caller is None else await lists.counts(visit.caller.actor)
        # During the setup, an unverified domain is the next step and no alarm.
        is_expected = attention.unverified > 0 and await setup_progress.is_first_setup(visit)
        context = {
            "visit": visit,
            "counts": counts,
            "team_hues": {} if visit.caller is None else team_hues(await users.list_users(visit)),
            "unread": 0 if counts is None else counts.unread,
            "me": me,
            "local_time": UTC_TIME if me is None or me.workspace is None else LocalTime.for_user(me.user, me.workspace),
            "attention": replace(attention, unverified=0) if is_expected else attention,
            "attention_version": attention.fingerprint,
            **self._navigation(visit),
            "density": display_options.density(visit.request),
            "flash": read_flash(self._flash_messages, visit.request.rel_url.raw_path, visit.query),
            "page_path": path_without_flash(visit.request.rel_url.raw_path, visit.query),
            "title": page.title,
        }
        return self.render(page.template, {**context, **page.context}, page.status)

    def render(self, template: str, context: Mapping[str, Any], status: int = 200) -> web.Response:
        content = self.render_bytes(template, context)
        response = compression.response(content, "text/html", charset="utf-8", status=status)
        set_page_headers(response)
        return response

    def render_bytes(self, template: str, context: Mapping[str, Any]) -> bytes:
        return _environment().get_template(template).render({**self._values, **context}).encode("utf-8", "replace")

    def _navigation(self, visit: Visit) -> dict[str, Any]:
        """Returns the main navigation, the tabs of the section of the page, and the paths of those that are active."""
        links = [link for link in self._nav_links if visit.has_role(link.role)]
        main = [link for link in links if not link.parent]
        inner = {link.path: link for link in links if link.parent}
        active_tab = _find_active([*inner.values()], visit.request.path)
        active_path = inner[active_tab].parent if active_tab else _find_active(main, visit.request.path)
        return {
            "nav_links": main,
            "active_path": active_path,
            "tabs": [link for link in inner.values() if link.parent == active_path],
            "active_tab": active_tab,
        }


def _find_active(links: Sequence[NavLink], path: str) -> str:
    """Returns the path of the link that the page belongs to, or ""."""
    sections = {link.section or link.path: link.path for link in links}
    matches = [section for section in sections if path == section or path.startswith(f"{section}/")]
    return sections[max(matches, key=len)] if matches else ""


def _query_string(**values: str | None) -> str:
    present = {name: value for name, value in values.items() if value}
    return f"?{urlencode(present)}" if present else ""
