"""What middlewares know about the target of a request.

Calls of the API and pages of the dashboard are served by methods of a `DeclaredHandler`, so the same middlewares apply
to both.
"""

from __future__ import annotations

from typing import Protocol

from aiohttp import web

from router.enumerations import Role


class Declaration(Protocol):
    """The declaration of a route or page. `role` is the minimum role; None needs no authentication."""

    @property
    def role(self) -> Role | None: ...

    @property
    def media(self) -> str:
        """The media type of a streamed response, otherwise `""`. Streamed responses have no overall time limit."""
        ...

    @property
    def takes_files(self) -> bool:
        """Whether the request may have files (`api.multipart`)."""
        ...

    @property
    def is_auto_refreshed(self) -> bool:
        """Whether an open page repeats this request automatically."""
        ...


class DeclaredHandler:
    """Base of the handlers. Subclasses register their bound method `serve` with aiohttp."""

    def __init__(self, declaration: Declaration) -> None:
        self.declaration = declaration


def find_declaration(request: web.Request) -> Declaration | None:
    """The declaration of the target. None for other handlers, such as static files, and for unknown paths."""
    owner = getattr(request.match_info.handler, "__self__", None)
    return owner.declaration if isinstance(owner, DeclaredHandler) else None
