"""What one page of the dashboard is, what its handler is given, and what it may answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

from api import body
from router.admin.access.authentication import Caller
from router.admin.access.users import ROLES
from router.errors import Refused
from router.local_time import UTC_TIME, LocalTime
from router.model import Actor, Role
from router.services import Services


@dataclass(frozen=True, slots=True)
class HtmlPage:
    """A page to be rendered. template: in `templates/`. title: of the page, also its heading in the window."""

    template: str
    title: str
    context: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True, slots=True)
class Redirect:
    """Go to another page of ours (303). path: local, percent-encoded. note: a word of `NOTES`, said there once."""

    path: str
    flash: str = ""


PageResult = HtmlPage | Redirect | web.StreamResponse


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a person. ids: the path's parameters; query, form: each name once, texts a database can keep.

    problem: why the form is shown again. address: the client's, past trusted proxies.
    """

    services: Services
    caller: Caller | None
    path_params: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str]
    request: web.Request
    client_address: str
    error: Refused | None = None

    @property
    def actor(self) -> Actor:
        """Who asks; there is one on every page with a role."""
        if self.caller is None:
            raise RuntimeError("a page without a role has no actor")
        return self.caller.actor

    async def local_time(self) -> LocalTime:
        """How the times on this page are shown: in the user's time zone, else the workspace's, else UTC."""
        if self.caller is None:
            return UTC_TIME
        me = await self.services.sessions.get_identity(self.caller.actor)
        return UTC_TIME if me.workspace is None else LocalTime.for_user(me.user, me.workspace)

    def has_role(self, role: Role) -> bool:
        """Whether who asks may do what this role may."""
        return self.caller is not None and ROLES.index(self.caller.actor.role) <= ROLES.index(role)


Handler = Callable[[Visit], Awaitable[PageResult]]


@dataclass(frozen=True, slots=True)
class PageRoute:
    """One page, or one action of a page.

    path: from the root, with `{name}` for parameters. role: the least that may call it, None for everybody.
    again: shows the form that was sent here, when what it asks is refused. media: the type of an answer that streams.
    part: shown inside of a page, never by itself.
    max_body: the largest form in bytes; None is the default of its kind (`body_limit`).
    """

    method: Literal["GET", "POST"]
    path: str
    handler: Handler
    role: Role | None
    form_view: Handler | None = None
    media: str = ""
    is_fragment: bool = False
    max_body: int | None = None

    @property
    def is_auto_refreshed(self) -> bool:
        """See `api.declaration.Declaration`: whole pages and event streams, not the parts that a person opens."""
        return self.method == "GET" and not self.is_fragment and self.media in ("", "text/event-stream")

    def body_limit(self, cap: int) -> int:
        """The largest form in bytes, at most `cap`, which is `[api] max_body_bytes`."""
        return body.effective_limit(self.max_body, cap, small=self.role is None)


@dataclass(frozen=True, slots=True)
class NavLink:
    """A link on top of every page, for those who may call it; those with a lower `place` come first."""

    label: str
    path: str
    role: Role
    position: int
