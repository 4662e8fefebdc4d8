"""What one call of the API is: declared once, served, documented and tested from that declaration."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from aiohttp import web

from api import body
from api.schema.shape import Answer, Body, EmptyBody, NoQuery, QueryParameters
from router.admin.access.authentication import Caller
from router.errors import ErrorCode
from router.model import Actor, Role
from router.services import Services

B = TypeVar("B", bound=Body)
Q = TypeVar("Q", bound=QueryParameters)
Method = Literal["GET", "POST", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True)
class Call(Generic[B, Q]):
    """One decoded request. ids: the path's parameters. address: the client's, past trusted proxies.

    request: for what is not data (streams, cookies); handlers of plain calls do not look at it.
    """

    services: Services
    caller: Caller | None
    ids: Mapping[str, str]
    body: B
    query: Q
    request: web.Request
    address: str

    @property
    def actor(self) -> Actor:
        """Who asks; there is one on every route with a role."""
        if self.caller is None:
            raise RuntimeError("a route without a role has no actor")
        return self.caller.actor


# Any: a handler takes the models that its own route names, which a list of routes cannot say.
Handler = Callable[[Call[Any, Any]], Awaitable[Answer | web.StreamResponse | None]]


@dataclass(frozen=True, slots=True)
class Route:
    """One call.

    path: below `/api`, with `{name}` for parameters. role: the least that may call it, None for everybody.
    answer: None where there is nothing to say (204) or the handler streams (`media` says what).
    creates: takes `Idempotency-Key`. secret: its answer holds one, and is never kept.
    errors: the codes of its own, beside those that every call of its kind has.
    max_body: the largest request body in bytes; None is the default of its kind (`body_limit`).
    """

    method: Method
    path: str
    handler: Handler
    summary: str
    role: Role | None
    answer: type[Answer] | None = None
    body: type[Body] = EmptyBody
    query: type[QueryParameters] = NoQuery
    status: int = 200
    creates: bool = False
    secret: bool = False
    media: str = ""
    errors: tuple[ErrorCode, ...] = ()
    max_body: int | None = None

    def body_limit(self, cap: int) -> int:
        """The largest request body in bytes, at most `cap`, which is `[api] max_body_bytes`."""
        return body.effective_limit(self.max_body, cap, small=self.role is None or self.body is EmptyBody)

    @property
    def is_auto_refreshed(self) -> bool:
        """See `api.declaration.Declaration`."""
        return False

    @property
    def operation_id(self) -> str:
        """For OpenAPI: `get_domains_id_verify`."""
        parts = [part.strip("{}").replace("-", "_") for part in self.path.split("/") if part]
        return "_".join([self.method.lower(), *parts])

    @property
    def tag(self) -> str:
        """The noun it is about."""
        parts = [part for part in self.path.split("/") if part and not part.startswith("{")]
        return parts[1] if parts[0] == "emails" else parts[0]
