"""Declarations of API calls. The served paths and the OpenAPI document are derived from them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from aiohttp import web
from pydantic import RootModel

from api import body
from api.schema.shape import Answer, Body, EmptyBody, NoQuery, QueryParameters
from router.admin.access.authentication import Caller
from router.enumerations import Role
from router.errors import ErrorCode
from router.model import Actor, Upload
from router.services import Services

B = TypeVar("B", bound=Body)
Q = TypeVar("Q", bound=QueryParameters)
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True)
class Call(Generic[B, Q]):
    """A decoded request.

    Args:
        caller: None on routes without a role.
        uploads: The files of a `multipart/form-data` request, already stored.
        ids: Path parameters.
        request: The aiohttp request, needed only for streams and cookies.
        address: The client address (`api.middleware.addresses.client_address`).
    """

    services: Services
    caller: Caller | None
    ids: Mapping[str, str]
    body: B
    query: Q
    request: web.Request
    address: str
    uploads: Sequence[Upload] = ()

    @property
    def actor(self) -> Actor:
        """The authenticated actor. Raises RuntimeError on a route without a role."""
        if self.caller is None:
            raise RuntimeError("a route without a role has no actor")
        return self.caller.actor


# The models differ between routes. The type of a list of routes cannot express this.
Handler = Callable[[Call[Any, Any]], Awaitable[Answer | web.StreamResponse | None]]


@dataclass(frozen=True, slots=True)
class FileForm:
    """A `multipart/form-data` request with files in parts `file`.

    Attributes:
        max_files: Maximum number of files.
        body_part: The name of the part with the JSON body; `""` for a form of files only.
    """

    max_files: int
    body_part: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """The declaration of a call.

    Args:
        path: Path below `/api`, with `{name}` for parameters.
        operation_id: Name of the call in the OpenAPI document, such as `claimTicket`. Generated clients use it.
        role: Minimum role; None needs no authentication.
        answer: Model of the response, or a union of models; None for 204 and for streams.
        creates: Whether the call accepts `Idempotency-Key`.
        media: Media type of a streamed response.
        errors: Error codes in addition to those that `openapi.errors_of` derives.
        max_body: Maximum body size in bytes; None for the default (`body_limit`).
        form: The forms that the call accepts besides JSON, or None.
    """

    method: Method
    path: str
    operation_id: str
    handler: Handler
    summary: str
    role: Role | None
    answer: type[Answer] | type[RootModel[Any]] | None = None
    body: type[Body] = EmptyBody
    query: type[QueryParameters] = NoQuery
    status: int = 200
    creates: bool = False
    media: str = ""
    errors: tuple[ErrorCode, ...] = ()
    max_body: int | None = None
    form: FileForm | None = None

    def body_limit(self, cap: int) -> int:
        return body.effective_limit(self.max_body, cap, small=self.role is None or self.body is EmptyBody)

    @property
    def takes_files(self) -> bool:
        return self.form is not None

    @property
    def is_auto_refreshed(self) -> bool:
        return False

    @property
    def tag(self) -> str:
        """The collection that the path names, such as `domains`."""
        parts = [part for part in self.path.split("/") if part and not part.startswith("{")]
        return parts[1] if parts[0] == "emails" else parts[0]
