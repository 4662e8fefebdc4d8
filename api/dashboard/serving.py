"""The aiohttp handler of a page: parses the form, runs the page's handler and renders the result.

A page with a `form_view` shows the form again after a `Refused` other than `not_found`, with the reason and the user's
input. A successful POST usually answers with a redirect, so that a reload does not repeat the action.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from urllib.parse import parse_qsl

from aiohttp import web

from api import body, multipart
from api.compression import COMPRESSIBLE
from api.dashboard import setting_form
from api.dashboard.flash import add_flash
from api.dashboard.page import HtmlPage, PageResult, PageRoute, Redirect, Visit
from api.dashboard.render import Renderer
from api.dashboard.submissions import SUBMISSION_FIELD, Submissions
from api.declaration import DeclaredHandler
from api.request_keys import ADDRESS, CALLER
from api.schema.errors import STATUS
from router.errors import Refused
from router.model import Upload
from router.services import Services

MAX_FIELDS = 200
# A server can redirect a picture of a mail to the page of a ticket. The request has the cookie of the reader, and would
# mark the ticket as read.
_EMBEDDED = frozenset({"audio", "embed", "image", "object", "script", "style", "video"})
# ENDPOINT_STARTED is set before the body is read, FORM_FIELDS after the form is parsed.
ENDPOINT_STARTED = web.RequestKey("reached", bool)
FORM_FIELDS = web.RequestKey("form", dict[str, str])


class PageEndpoint(DeclaredHandler):
    """Serves one page route."""

    def __init__(self, page: PageRoute, services: Services, renderer: Renderer, *, max_body: int) -> None:
        super().__init__(page)
        self._page = page
        self._services = services
        self._renderer = renderer
        self._submissions = Submissions(services.idempotency)
        self.body_limit = page.body_limit(max_body)

    @property
    def secret_settings(self) -> Mapping[str, str]:
        return setting_form.secret_fields(self._services)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        request[ENDPOINT_STARTED] = True
        if request.headers.get("Sec-Fetch-Dest") in _EMBEDDED:
            raise Refused("forbidden", "A page cannot be shown as a part of another page")
        # Reads no body for GET: an event stream has no time limit and could wait for the body forever.
        form, uploads = await self._read_form(request) if self._page.method == "POST" else ({}, ())
        request[FORM_FIELDS] = form
        visit = Visit(
            services=self._services,
            caller=request.get(CALLER),
            path_params=dict(request.match_info),
            query=_first_values(request.query.items()),
            form=form,
            request=request,
            client_address=request[ADDRESS],
            uploads=uploads,
        )
        if self._page.method == "GET" or self._page.form_view is None:
            response = await self._build_response(visit, await self._run_handler(visit))
            response[COMPRESSIBLE] = self._page.compress and self._page.method == "GET"
            return response
        try:
            outcome = await self._run_handler(visit)
        except Refused as refusal:
            if refusal.code == "not_found":
                raise
            visit = replace(visit, error=refusal)
            outcome = await self._page.form_view(visit)
            response = await self._build_response(visit, outcome)
            response.set_status(STATUS[refusal.code])
            retry_after = getattr(refusal, "retry_after", None)
            if retry_after is not None:
                response.headers["Retry-After"] = str(retry_after)
            return response
        return await self._build_response(visit, outcome)

    async def _read_form(self, request: web.Request) -> tuple[dict[str, str], Sequence[Upload]]:
        """Returns the fields and the stored files of a form."""
        caller = request.get(CALLER)
        if not self._page.takes_files or caller is None or body.content_type(request)[0] != multipart.MEDIA_TYPE:
            return parse_form(request, await body.read(request, self.body_limit)), ()
        pairs, uploads = await multipart.read_form(
            request,
            partial(self._services.uploads.add, caller.actor, expected=request.content_length),
            max_text=self.body_limit,
            max_total=self._services.uploads.max_bytes,
        )
        return _first_values(pairs), uploads

    async def _run_handler(self, visit: Visit) -> PageResult:
        try:
            if self._page.method == "POST" and visit.caller is not None and visit.form.get(SUBMISSION_FIELD):
                return await self._submissions.run_once(visit, self._page.handler)
            return await self._page.handler(visit)
        finally:
            if self._page.method == "POST" and visit.caller is not None:
                visit.services.attention.invalidate(visit.caller.actor)

    async def _build_response(self, visit: Visit, outcome: PageResult) -> web.StreamResponse:
        match outcome:
            case HtmlPage():
                return await self._renderer.render_page(visit, outcome)
            case Redirect():
                return redirect_response(outcome)
            case _:
                return outcome


def redirect_response(outcome: Redirect) -> web.Response:
    return web.Response(status=303, headers={"Location": add_flash(outcome)})


def parse_form(request: web.Request, content: bytes) -> dict[str, str]:
    """Returns the fields of a form. Raises `Refused` if the body is not a valid form."""
    if not content:
        return {}
    if body.content_type(request)[0] != "application/x-www-form-urlencoded":
        raise Refused("unsupported_media_type", "The form must be sent as application/x-www-form-urlencoded")
    try:
        pairs = parse_qsl(content.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        raise Refused("invalid_request", "The form data is malformed") from None
    return _first_values(pairs)


def _first_values(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in pairs:
        values.setdefault(name, value)
    body.check_storable(values)
    return values
