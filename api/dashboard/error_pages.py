"""Error pages of the dashboard: turns JSON errors into HTML pages or into a redirect to the sign-in page.

`api.middleware.errors` decides what an error reveals. The error page keeps the input of a rejected form, except
passwords and webhook URLs.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote, urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from api.dashboard import redirects
from api.dashboard.page_headers import set_page_headers
from api.dashboard.refused_form import RefusedFormReader
from api.dashboard.render import Renderer
from api.dashboard.serving import PageEndpoint
from api.middleware.permission import url_origin
from api.request_keys import REQUEST_ID
from api.responses import ERROR

_NOT_PAGES = ("/api", "/v1", "/healthz", "/readyz")
_TITLES = {
    401: "Session expired",
    403: "Permission denied",
    404: "Page not found",
    405: "Method not allowed",
    413: "Request too large",
    429: "Too many requests",
    500: "Something went wrong",
    503: "Service unavailable",
}
# What to do next.
_ADVICE = {
    403: "If you need access, ask an admin of your workspace for another role.",
    404: "The link may be incomplete, or the item was removed.",
    500: "Try again. If it fails again, give the operator of this server the request ID below.",
}


def error_pages(renderer: Callable[[], Renderer], public_url: str) -> Middleware:
    """Returns the middleware. `public_url` identifies the dashboard's own forms."""
    forms = RefusedFormReader(url_origin(public_url))

    @web.middleware
    async def show(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        error = response.get(ERROR) if isinstance(response, web.Response) else None
        if error is None or not isinstance(response, web.Response) or not _is_page(request):
            return response
        response.headers.pop("WWW-Authenticate", None)
        form = await forms.get(request, response.status)
        if response.status == 401 and not (form is not None and form.has_input):
            response.set_status(303)
            response.headers["Location"] = f"/sign-in?next={quote(_return_path(request), safe='')}"
            response.body = b""
            return response
        context = {
            "title": _TITLES.get(response.status, "Request failed"),
            "message": error[1],
            "advice": _ADVICE.get(response.status, ""),
            "status": response.status,
            "request_id": request[REQUEST_ID],
            "retry_after": response.headers.get("Retry-After", ""),
            "form": form,
            "sign_in": f"/sign-in?next={quote(_return_path(request), safe='')}" if response.status == 401 else "",
            "again": request.path_qs if request.method == "GET" and response.status in (429, 503) else "",
        }
        response.body = renderer().render_bytes("error.html", context)
        response.content_type = "text/html"
        response.charset = "utf-8"
        set_page_headers(response)
        return response

    return show


def _is_page(request: web.Request) -> bool:
    if isinstance(getattr(request.match_info.handler, "__self__", None), PageEndpoint):
        return True
    # The request target of `OPTIONS *` and CONNECT has no leading slash.
    first = "/" + request.path.removeprefix("/").partition("/")[0]
    return first not in _NOT_PAGES and "text/html" in request.headers.get("Accept", "")


def _return_path(request: web.Request) -> str:
    if request.method in ("GET", "HEAD"):
        return redirects.local_path(request.path_qs)
    header = request.headers.get("Referer", "")
    if not header.isascii():  # not from a browser: browsers send ASCII only
        return redirects.HOME
    try:
        referer = urlsplit(header)
    except ValueError:  # such as for an unclosed bracket in the host
        return redirects.HOME
    if referer.netloc != request.host:
        return redirects.HOME
    return redirects.local_path(referer.path + (f"?{referer.query}" if referer.query else ""))
