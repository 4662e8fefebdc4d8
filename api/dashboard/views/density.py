"""`/density`: the form in the user menu that changes how dense lists are."""

from __future__ import annotations

from aiohttp import web

from api.dashboard import display_options, redirects
from api.dashboard.page import PageRoute, Redirect, Visit
from api.dashboard.serving import redirect_response


async def change_density(visit: Visit) -> web.StreamResponse:
    response = redirect_response(Redirect(redirects.local_path(visit.form.get("back"))))
    display_options.set_density(response, visit.form.get("density", ""))
    return response


PAGES = (PageRoute("POST", "/density", change_density, "viewer"),)
