"""The aiohttp application: the API under `/api` and `/v1`, and the dashboard at `/`.

Both are behind the same middlewares. `/healthz` (the process responds) and `/readyz` (the database is usable) need no
authentication.
"""

from __future__ import annotations

import re
from functools import cache

from aiohttp import web
from aiohttp.typedefs import Handler

from api import openapi, responses
from api.compression import CompressedOnce, compression
from api.cookies import COOKIES, Cookies
from api.dashboard.routes import Dashboard
from api.docs_page import DocsPage
from api.endpoint import Endpoint
from api.middleware.auth import auth
from api.middleware.errors import ERROR_LOG_COUNTS, ERROR_LOG_LIMIT, errors
from api.middleware.headers import set_strict_transport
from api.middleware.permission import permission
from api.middleware.rate_limit import rate_limit
from api.middleware.request_id import on_prepare, request_id
from api.middleware.request_metrics import request_metrics
from api.middleware.time_limit import time_limit
from api.resources import ROUTES
from api.route import Route
from config.schema import ApiSettings
from router.errors import DatabaseFileReplaced
from router.meter import NULL_METER, Meter
from router.ratelimit.failure_throttle import FailureThrottle
from router.services import Services

PREFIXES = ("/api", "/v1")


def build_app(
    services: Services, settings: ApiSettings, *, public_url: str, version: str = "", meter: Meter = NULL_METER
) -> web.Application:
    """Builds the application. The caller starts and stops the services."""
    dashboard = Dashboard(services, max_body=settings.max_body_bytes, public_url=public_url)
    app = web.Application(
        middlewares=[
            request_metrics(meter),
            request_id,
            compression(public_url),
            dashboard.middleware,
            errors,
            time_limit(settings.request_timeout),
            auth(services.authentication, services.clock, settings.trusted_proxies),
            rate_limit(services.rate_limits, settings),
            permission(public_url),
            dashboard.change_reports,
        ],
        # Used only by the body methods of aiohttp's requests. `api.body` applies the limit of each route.
        client_max_size=settings.max_body_bytes,
    )
    app.on_response_prepare.append(on_prepare)
    if public_url.startswith("https://"):
        app.on_response_prepare.append(set_strict_transport)
    app[ERROR_LOG_COUNTS] = FailureThrottle(services.clock, ERROR_LOG_LIMIT)
    app[COOKIES] = Cookies(public_url, settings.trusted_proxies)
    for route in ROUTES:
        endpoint = Endpoint(route, services, max_body=settings.max_body_bytes)
        for prefix in PREFIXES:
            _add_route(app, route.method, f"{prefix}{_path_pattern(route)}", endpoint.serve)
    _add_documents(app, services, settings, dashboard, public_url=public_url, version=version)
    dashboard.register_routes(app, _add_route)
    _add_probes(app, services)
    return app


def _add_documents(
    app: web.Application,
    services: Services,
    settings: ApiSettings,
    dashboard: Dashboard,
    *,
    public_url: str,
    version: str,
) -> None:
    def document_json() -> str:
        types = tuple(services.integrations.types.values())
        return openapi.document_json(ROUTES, types, public_url=public_url, version=version)

    @cache
    def compressed_document() -> CompressedOnce:
        return CompressedOnce(document_json().encode())

    async def show_document(request: web.Request) -> web.Response:
        return compressed_document().response(request, "application/json")

    page = DocsPage(
        ROUTES,
        document_json,
        dashboard.render_bytes,
        public_url=public_url,
        trusted_proxies=settings.trusted_proxies,
    )
    for prefix in PREFIXES:
        _add_route(app, "GET", f"{prefix}/openapi.json", show_document)
        _add_route(app, "GET", f"{prefix}/docs", page.serve)


def _add_probes(app: web.Application, services: Services) -> None:
    async def show_liveness(_: web.Request) -> web.Response:
        return responses.json_text('{"status":"ok"}')

    async def show_readiness(_: web.Request) -> web.Response:
        try:
            await services.ready()
        except DatabaseFileReplaced as error:
            return responses.error("unavailable", error.advice)
        return responses.json_text('{"status":"ok"}')

    _add_route(app, "GET", "/healthz", show_liveness)
    _add_route(app, "GET", "/readyz", show_readiness)


def _path_pattern(route: Route) -> str:
    """The path as an aiohttp pattern.

    `/tickets/{id}` does not match `/tickets/mine`, so that a 405 for `/tickets/mine` does not list methods of
    `/tickets/{id}`.
    """
    parent, _, last = route.path.rpartition("/")
    if not last.startswith("{"):
        return route.path
    segments = [other.path.rpartition("/")[2] for other in ROUTES if other.path.rpartition("/")[0] == parent]
    reserved = "|".join(sorted({re.escape(segment) for segment in segments if not segment.startswith("{")}))
    return f"{parent}/{{{last[1:-1]}:(?!(?:{reserved})$)[^/]+}}" if reserved else route.path


def _add_route(app: web.Application, method: str, path: str, handler: Handler) -> None:
    """Registers a handler; GET also serves HEAD (RFC 9110 section 9.1)."""
    resource = app.router.add_resource(path)
    resource.add_route(method, handler, expect_handler=_handle_expect)
    if method == "GET":
        resource.add_route("HEAD", handler, expect_handler=_handle_expect)


async def _handle_expect(request: web.Request) -> web.StreamResponse | None:
    """Rejects expectations other than `100-continue` (RFC 9110 section 10.1.1).

    `api.body` sends the response `100 Continue`.
    """
    if request.headers.get("Expect", "").lower() != "100-continue":
        return responses.error("invalid_request", "Expect must be 100-continue")
    return None
