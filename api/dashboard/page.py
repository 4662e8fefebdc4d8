"""Declarations of dashboard pages: routes, and the input and results of handlers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

from api import body
from router.admin.access.authentication import Caller
from router.enumerations import ROLE, Role
from router.errors import Refused
from router.local_time import UTC_TIME, LocalTime
from router.model import Actor, Upload
from router.services import Services


@dataclass(frozen=True, slots=True)
class HtmlPage:
    """A page to render. `template` is a file name in `templates/`."""

    template: str
    title: str
    context: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True, slots=True)
class Redirect:
    """A redirect (303) to another page of the dashboard.

    Attributes:
        path: Percent-encoded path on this server, optionally with a query and a fragment.
        flash: Key in `FLASH_MESSAGES` of the message that the target page shows; "" for none.
        number: What `{n}` in the message stands for.
        also: Messages that follow it, with their numbers.
        undo: The events of the change, which the message offers to undo (`TicketService.undo`). For a message about
            spam, the tickets.
        undo_path: The page to open after the change is undone; "" for the target page.
    """

    path: str
    flash: str = ""
    number: int | None = None
    undo: Sequence[str] = ()
    undo_path: str = ""
    also: Sequence[tuple[str, int | None]] = ()


PageResult = HtmlPage | Redirect | web.StreamResponse


@dataclass(frozen=True, slots=True)
class Visit:
    """One request to a page.

    Attributes:
        query, form: The first value of each parameter or field. No value contains NUL or an unpaired surrogate.
        client_address: The address of the client, or of the nearest proxy that is not trusted.
        uploads: The files of the form, which are stored.
        error: The error after which the form is shown again, else None.
    """

    services: Services
    caller: Caller | None
    path_params: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str]
    request: web.Request
    client_address: str
    uploads: Sequence[Upload] = ()
    error: Refused | None = None

    @property
    def actor(self) -> Actor:
        """The signed-in user. Raises RuntimeError on a public page."""
        if self.caller is None:
            raise RuntimeError("a page without a role has no actor")
        return self.caller.actor

    async def local_time(self) -> LocalTime:
        """Returns the formatter for the time zone of the user, else of the workspace, else UTC."""
        if self.caller is None:
            return UTC_TIME
        me = await self.services.sessions.get_identity(self.caller.actor)
        return UTC_TIME if me.workspace is None else LocalTime.for_user(me.user, me.workspace)

    def has_role(self, role: Role) -> bool:
        return self.caller is not None and ROLE.values.index(self.caller.actor.role) <= ROLE.values.index(role)


Handler = Callable[[Visit], Awaitable[PageResult]]


@dataclass(frozen=True, slots=True)
class PageRoute:
    """The route of one page or of one form action.

    Attributes:
        role: Minimum role; None for a public page.
        form_view: Handler that shows the form again when `handler` raises a `Refused` other than `not_found`.
        media: Content type of a streaming response, else "".
        is_fragment: Whether the response is only a part of a page. Such a part is never refreshed automatically.
        max_body: Maximum size of the form in bytes; None selects the default (`body.effective_limit`).
        takes_files: Whether the form may have files (`multipart/form-data`), which are stored before the handler runs.
        compress: Whether the response to a GET may be compressed. Never set it for a page that shows a secret
            (docs/decisions/0041-compression.md).
    """

    method: Literal["GET", "POST"]
    path: str
    handler: Handler
    role: Role | None
    form_view: Handler | None = None
    media: str = ""
    is_fragment: bool = False
    max_body: int | None = None
    takes_files: bool = False
    compress: bool = False

    @property
    def is_auto_refreshed(self) -> bool:
        return self.method == "GET" and not self.is_fragment and self.media in ("", "text/event-stream")

    def body_limit(self, cap: int) -> int:
        return body.effective_limit(self.max_body, cap, small=self.role is None)


@dataclass(frozen=True, slots=True)
class NavLink:
    """A link in the main navigation, or in the tabs of the section `parent`, for users with at least the role `role`.

    Links are sorted by `position`. `icon` is a symbol of `templates/icons.html`, and `key` the second key of the
    shortcut that begins with `g`; links of the main navigation have both. `section` is the path above the pages that
    belong to the link, by default `path`. `hint` says on the page of the section what the link leads to.
    """

    label: str
    path: str
    role: Role
    position: int
    parent: str = ""
    icon: str = ""
    key: str = ""
    section: str = ""
    hint: str = ""
