"""Registers the dashboard with the API's application."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from api.dashboard.assets import PREFIX, Assets
from api.dashboard.change_feed import CHANGE_FEED, ChangeFeed, report_changes
from api.dashboard.error_pages import error_pages
from api.dashboard.render import Renderer
from api.dashboard.serving import PageEndpoint
from api.dashboard.views import FLASH_MESSAGES, NAV_LINKS, PAGES
from router.services import Services


class Dashboard:
    """The dashboard of one process. `middleware` must be passed to the constructor of the application."""

    def __init__(self, services: Services, *, max_body: int, public_url: str) -> None:
        self._services = services
        self._public_url = public_url
        self._max_body = max_body
        self._assets = Assets()
        self._renderer = Renderer(self._assets, NAV_LINKS, FLASH_MESSAGES, services.clock)
        self._change_feed = ChangeFeed(services.tickets, services.attention)

    @property
    def middleware(self) -> Middleware:
        """The middleware for error pages, which must wrap `api.middleware.errors`."""
        return error_pages(lambda: self._renderer, self._public_url)

    @property
    def change_reports(self) -> Middleware:
        """The innermost middleware, which sees only requests that are permitted."""
        return report_changes(self._change_feed)

    def register_routes(
        self, app: web.Application, add_route: Callable[[web.Application, str, str, Handler], None]
    ) -> None:
        app[CHANGE_FEED] = self._change_feed
        app.on_shutdown.append(self._close_change_feed)
        for page in PAGES:
            endpoint = PageEndpoint(page, self._services, self._renderer, max_body=self._max_body)
            add_route(app, page.method, page.path, endpoint.serve)
        for path, form_path in _form_paths().items():
            add_route(app, "GET", path, partial(_redirect_to_form, form_path))
        add_route(app, "GET", f"{PREFIX}/{{name}}", self._assets.serve)

    def render_bytes(self, template: str, context: Mapping[str, Any]) -> bytes:
        """Renders a page that has no user."""
        return self._renderer.render_bytes(template, context)

    async def _close_change_feed(self, _: web.Application) -> None:
        await self._change_feed.close()


def _form_paths() -> dict[str, str]:
    """Returns the path of the page that has the form, for each path that only accepts the form."""
    views = {page.handler: page.path for page in PAGES if page.method == "GET"}
    shown = {page.path for page in PAGES if page.method == "GET"}
    return {page.path: views[page.form_view] for page in PAGES if page.form_view in views and page.path not in shown}


async def _redirect_to_form(form_path: str, request: web.Request) -> web.Response:
    """Redirects from the address that a browser shows after a refused form, and after signing in there."""
    path = form_path.format(**{name: quote(value, safe="") for name, value in request.match_info.items()})
    raise web.HTTPSeeOther(path)
