"""Registers the dashboard with the API's application."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from api.dashboard.assets import PREFIX, Assets
from api.dashboard.change_feed import CHANGE_FEED, ChangeFeed
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

    def register_routes(
        self, app: web.Application, add_route: Callable[[web.Application, str, str, Handler], None]
    ) -> None:
        app[CHANGE_FEED] = self._change_feed
        app.on_shutdown.append(self._close_change_feed)
        for page in PAGES:
            endpoint = PageEndpoint(page, self._services, self._renderer, max_body=self._max_body)
            add_route(app, page.method, page.path, endpoint.serve)
        add_route(app, "GET", f"{PREFIX}/{{name}}", self._assets.serve)

    def render_bytes(self, template: str, context: Mapping[str, Any]) -> bytes:
        """Renders a page that has no user."""
        return self._renderer.render_bytes(template, context)

    async def _close_change_feed(self, _: web.Application) -> None:
        await self._change_feed.close()
