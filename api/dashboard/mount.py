"""Puts the dashboard into the application of the API: its pages, its files, its middleware, its listeners' end."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Middleware

from api.dashboard.assets import PREFIX, Assets
from api.dashboard.live import LIVE, Live
from api.dashboard.page import Page
from api.dashboard.problems import problems
from api.dashboard.render import Renderer
from api.dashboard.serving import PageEndpoint
from api.dashboard.views import NAV, NOTES, PAGES
from api.services import Services


class Dashboard:
    """Made before the application, since the application wants its middleware first."""

    def __init__(self, services: Services, *, max_body: int) -> None:
        self._services = services
        self._max_body = max_body
        self._assets = Assets()
        self._renderer = Renderer(self._assets, NAV, NOTES, services.clock)
        self._live = Live(services.tickets)

    @property
    def middleware(self) -> Middleware:
        """Stands outside the middleware of errors."""
        return problems(lambda: self._renderer)

    def add_to(self, app: web.Application) -> None:
        """Registers every page and file."""
        app[LIVE] = self._live
        app.on_shutdown.append(self._end)
        for page in PAGES:
            self._add(app, page)
        app.router.add_get(f"{PREFIX}/{{name}}", self._assets.serve)

    def _add(self, app: web.Application, page: Page) -> None:
        """GET also answers HEAD (RFC 9110 section 9.1)."""
        endpoint = PageEndpoint(page, self._services, self._renderer, max_body=self._max_body)
        resource = app.router.add_resource(page.path)
        resource.add_route(page.method, endpoint.serve)
        if page.method == "GET":
            resource.add_route("HEAD", endpoint.serve)

    async def _end(self, _: web.Application) -> None:
        await self._live.close()
