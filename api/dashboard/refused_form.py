"""The fields of a form whose request was refused, so that the error page can offer to send them again.

Never holds a field that a person must not see again (`SECRET_FIELDS`), and never one that another site sent: its
text would stand on a page of ours, above a button that sends it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from api import body
from api.cookies import COOKIES
from api.dashboard.serving import ENDPOINT_STARTED, FORM_FIELDS, PageEndpoint, parse_form
from api.dashboard.submissions import SUBMISSION_FIELD
from api.middleware.permission import is_from_own_page
from api.request_keys import CALLER
from router.errors import Refused

# Fields that are entered again instead of being shown, with their labels.
SECRET_FIELDS: Mapping[str, str] = {
    "currentPassword": "Current password",
    "password": "Password",
    "webhookUrl": "Webhook URL",
}
# A note of 20,000 characters of four bytes each, percent-encoded.
MAX_BYTES = 256 * 1024
# Forms of refused requests that are read at once: bounds the memory that clients with a made-up cookie can take.
MAX_CONCURRENT_READS = 32
READ_SECONDS = 10.0
# The statuses after which the same request can succeed.
_RETRYABLE = frozenset({401, 429, 500, 503})


@dataclass(frozen=True, slots=True)
class RefusedForm:
    """What the error page shows. shown: texts with their field names; hidden: other fields; secrets: name and label.

    retry: whether the form has a button that sends it again.
    """

    action: str
    text_fields: Mapping[str, str]
    hidden_fields: Mapping[str, str]
    secret_labels: Mapping[str, str]
    can_retry: bool

    @property
    def has_input(self) -> bool:
        """Whether a person would lose something with this form."""
        return any(
            value
            for name, value in (*self.text_fields.items(), *self.hidden_fields.items())
            if name != SUBMISSION_FIELD
        )


class RefusedFormReader:
    """Reads the forms of refused requests. origin: of our own pages, besides the host that a request names."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._active_reads = 0

    async def get(self, request: web.Request, status: int) -> RefusedForm | None:
        """The form of a request that got this status; None when there is none to show."""
        endpoint = getattr(request.match_info.handler, "__self__", None)
        if request.method != "POST" or not isinstance(endpoint, PageEndpoint):
            return None
        if not is_from_own_page(request, self._origin):
            return None
        fields = request.get(FORM_FIELDS)
        if fields is None and _is_body_readable(request):
            fields = await self._read(request, min(endpoint.body_limit, MAX_BYTES))
        return None if fields is None else build_refused_form(request.path_qs, fields, status)

    async def _read(self, request: web.Request, limit: int) -> dict[str, str] | None:
        """The fields of a body that was not read before the refusal; None when it cannot be read in time."""
        if self._active_reads >= MAX_CONCURRENT_READS:
            return None
        self._active_reads += 1
        try:
            async with asyncio.timeout(READ_SECONDS):
                return parse_form(request, await body.read(request, limit))
        except (Refused, TimeoutError, web.RequestPayloadError, ConnectionError):
            return None
        finally:
            self._active_reads -= 1


def _is_body_readable(request: web.Request) -> bool:
    """Whether to read the body after the refusal: of a person who is, or in this browser was, signed in.

    A browser drops the session's cookie when the session ends and when its user signs out in another tab; the cookie
    of the device stays. A client without either is refused before its body, and one that sends `Expect` is never told
    to go on.
    """
    cookies = request.app[COOKIES]
    signed_in = CALLER in request or cookies.session_token(request) is not None or cookies.device_token(request) != ""
    return signed_in and ENDPOINT_STARTED not in request and "Expect" not in request.headers


def build_refused_form(action: str, fields: Mapping[str, str], status: int) -> RefusedForm:
    """What is shown of the fields of a form that was sent to `action` and got this status."""
    kept = {name: value for name, value in fields.items() if name not in SECRET_FIELDS}
    shown = {name: value for name, value in kept.items() if _is_free_text(name, value)}
    return RefusedForm(
        action=action,
        text_fields=shown,
        hidden_fields={name: value for name, value in kept.items() if name not in shown},
        secret_labels={name: label for name, label in SECRET_FIELDS.items() if name in fields},
        can_retry=status in _RETRYABLE,
    )


def _is_free_text(name: str, value: str) -> bool:
    """Whether a person typed this as a text: the other fields are ids, states and short names."""
    return name == "text" or any(character.isspace() for character in value)
