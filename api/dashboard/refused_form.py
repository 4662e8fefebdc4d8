"""The fields of a rejected form, which the error page offers to submit again.

The fields never include passwords or secret settings. A form sent by another site is never shown, because the user
could submit that site's text with one click.
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

# Fields whose input is never shown again, with their labels; in addition to the secret settings of integrations.
SECRET_FIELDS: Mapping[str, str] = {
    "currentPassword": "Current password",
    "password": "Password",
}
# Maximum size of a body that is read after a rejection. The longest note fits, even percent-encoded.
MAX_BYTES = 256 * 1024
# Limits the memory that the server needs for requests with a forged cookie.
MAX_CONCURRENT_READS = 32
READ_SECONDS = 10.0
# HTTP statuses after which the same request can succeed.
_RETRYABLE = frozenset({401, 429, 500, 503})


@dataclass(frozen=True, slots=True)
class RefusedForm:
    """A rejected form for the error page.

    Attributes:
        text_fields: Free text, which the user can change or copy.
        secret_labels: Labels of the fields that the user must enter again.
    """

    action: str
    text_fields: Mapping[str, str]
    hidden_fields: Mapping[str, str]
    secret_labels: Mapping[str, str]
    can_retry: bool

    @property
    def has_input(self) -> bool:
        return any(
            value
            for name, value in (*self.text_fields.items(), *self.hidden_fields.items())
            if name != SUBMISSION_FIELD
        )


class RefusedFormReader:
    """Reads the forms of rejected requests. `origin` is the origin of the dashboard."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._active_reads = 0

    async def get(self, request: web.Request, status: int) -> RefusedForm | None:
        endpoint = getattr(request.match_info.handler, "__self__", None)
        if request.method != "POST" or not isinstance(endpoint, PageEndpoint):
            return None
        if not is_from_own_page(request, self._origin):
            return None
        fields = request.get(FORM_FIELDS)
        if fields is None and _is_body_readable(request):
            fields = await self._read(request, min(endpoint.body_limit, MAX_BYTES))
        secret_fields = {**SECRET_FIELDS, **endpoint.secret_settings}
        return None if fields is None else build_refused_form(request.path_qs, fields, status, secret_fields)

    async def _read(self, request: web.Request, limit: int) -> dict[str, str] | None:
        """Reads the form from a body that was not read before the rejection. Returns None on failure."""
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
    """Whether to read the body after a rejection.

    Requires credentials, so that not every client can make the server read bodies. The device cookie suffices, because
    it remains when a session ends. A client that sends `Expect` may not have sent the body yet.
    """
    cookies = request.app[COOKIES]
    signed_in = CALLER in request or cookies.session_token(request) is not None or cookies.device_token(request) != ""
    return signed_in and ENDPOINT_STARTED not in request and "Expect" not in request.headers


def build_refused_form(
    action: str, fields: Mapping[str, str], status: int, secret_fields: Mapping[str, str] = SECRET_FIELDS
) -> RefusedForm:
    """Builds the form. `secret_fields` are the labels of secret fields by name."""
    public_fields = {name: value for name, value in fields.items() if name not in secret_fields}
    text_fields = {name: value for name, value in public_fields.items() if _is_free_text(name, value)}
    return RefusedForm(
        action=action,
        text_fields=text_fields,
        hidden_fields={name: value for name, value in public_fields.items() if name not in text_fields},
        secret_labels={name: label for name, label in secret_fields.items() if name in fields},
        can_retry=status in _RETRYABLE,
    )


def _is_free_text(name: str, value: str) -> bool:
    return name == "text" or any(character.isspace() for character in value)
