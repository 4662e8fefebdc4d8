"""What the middlewares need to know of what a request goes to: who may call it, and whether its answer is a stream.

A call of the API (`api.endpoint.Endpoint`) and a page of the dashboard (`api.dashboard.serving.PageEndpoint`) are both
served by a bound method of such an object, so that one set of middlewares guards them all.
"""

from __future__ import annotations

from typing import Protocol

from aiohttp import web

from router.model import Role


class Declaration(Protocol):
    """A route or a page, as it was declared. role: the least that may call it, None for everybody."""

    @property
    def role(self) -> Role | None: ...

    @property
    def media(self) -> str:
        """The type of an answer that streams, which no time limit bounds as a whole; `""` for any other."""
        ...

    @property
    def is_auto_refreshed(self) -> bool:
        """Whether a page that is open requests this again by itself."""
        ...


class DeclaredHandler:
    """Whoever serves one declared route; subclasses hand aiohttp their `serve`."""

    def __init__(self, declaration: Declaration) -> None:
        self.declaration = declaration


def find_declaration(request: web.Request) -> Declaration | None:
    """What the request goes to, as it was declared; None where there is nothing of ours."""
    owner = getattr(request.match_info.handler, "__self__", None)
    return owner.declaration if isinstance(owner, DeclaredHandler) else None
