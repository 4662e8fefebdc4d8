"""What the pages of templates and canned responses have in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from api.dashboard.page import Visit
from router.enumerations import TEMPLATE_MODE
from router.errors import Refused
from router.replies.placeholders import PLACEHOLDERS

R = TypeVar("R")

FIELDS: dict[str, Any] = {"placeholders": PLACEHOLDERS, "modes": TEMPLATE_MODE}


async def render_preview(visit: Visit, render: Callable[[str], Awaitable[R]]) -> dict[str, Any]:
    """Returns the context of a preview for the ticket that the query names, or for an invented one.

    Args:
        render: Takes the number of the ticket, or `""`.
    """
    ticket, error = visit.query.get("ticket", "").strip(), ""
    rendered = None
    try:
        rendered = await render(ticket)
    except Refused as refused:
        if not ticket:
            raise
        error = refused.message
    return FIELDS | {"rendered": rendered, "preview_error": error, "ticket": ticket}
