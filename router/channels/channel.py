"""The base class of channels: their declaration, and what most of them do in the same way.

A channel renders a notification to a payload and sends a payload with one request. Rendering is pure. A channel never
reads the database or the environment, and never schedules retries.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from router.channels import responses, settings
from router.channels.contract import (
    DigestEntry,
    HttpClient,
    OperatorAlert,
    Pace,
    Payload,
    Remedy,
    SendFailure,
    SendOutcome,
    SendRetry,
    TargetMemory,
    TestMessage,
    TicketNotification,
)
from router.channels.responses import PERMANENT_STATUSES, KnownError
from router.channels.settings import SettingField, Settings
from router.channels.webhook_url import mask_url
from router.errors import Refused
from router.outbound.client import ForbiddenAddressError, HttpResponse, OutboundError

_NO_HEADERS: Mapping[str, str] = {}
_JSON_HEADERS = {"Content-Type": "application/json; charset=utf-8"}


class Channel(ABC):
    """One type of integration.

    Attributes:
        kind: The integration's `type` in the API and in the database.
        label: The name of the service for users.
        fields: The settings. REST, OpenAPI, commands, forms, documents and checks derive from them.
        setup_steps: How to get the settings in the service, as sentences in Markdown.
        digest_limit: The maximum number of entries in a digest.
        pace: The rate that the service allows for one integration; None if `[delivery]` alone limits it.
        can_update: Whether a sent message can be changed.
        can_thread: Whether a message can be sent as a reply to a sent message.
        errors: The error table: the meaning of each known error code.
        remedies: What a user can do about permanent errors, by error code.
        permanent_statuses: The statuses that mean a removed or forbidden target, whatever the error code.
    """

    kind: ClassVar[str]
    label: ClassVar[str]
    fields: ClassVar[tuple[SettingField, ...]]
    setup_steps: ClassVar[tuple[str, ...]]
    digest_limit: ClassVar[int]
    pace: ClassVar[Pace | None] = None
    can_update: ClassVar[bool] = False
    can_thread: ClassVar[bool] = False
    errors: ClassVar[Mapping[str, KnownError]] = {}
    remedies: ClassVar[Mapping[str, Remedy]] = {}
    permanent_statuses: ClassVar[frozenset[int]] = PERMANENT_STATUSES

    def remedy(self, error: str) -> Remedy:
        """Returns what a user can do about the last error of an integration."""
        found = (remedy for code, remedy in self.remedies.items() if f" {code}:" in error)
        return next(found, Remedy(f"Fix this in {self.label}, or change the settings."))

    # --- settings

    def parse_settings(self, values: Mapping[str, Any], *, allow_private: bool = False) -> Settings:
        """Validates settings from the API or from the database.

        Raises:
            InvalidSetting: A setting is unknown, missing or invalid.
        """
        return settings.parse_settings(self.fields, values, kind=self.kind, allow_private=allow_private)

    def public_settings(self, settings: Settings) -> dict[str, str]:
        """Returns the settings that are not secret."""
        return {
            field.name: settings[field.name] for field in self.fields if not field.secret and field.name in settings
        }

    @property
    def target_field(self) -> SettingField | None:
        """The setting that `target_url` and `hint` use by default: the first one with the format `url`."""
        return next((field for field in self.fields if field.format == "url"), None)

    def target_url(self, settings: Settings) -> str:
        """Returns the URL that messages are posted to; by default, the value of `target_field`, or ""."""
        field = self.target_field
        return "" if field is None else settings.get(field.name, "")

    def is_own_url(self, value: str) -> bool:
        """Whether the value is a URL that only this service has, by the declaration of a setting."""
        return any(field.is_own_url(value) for field in self.fields)

    def find_foreign_host(self, values: Mapping[str, Any]) -> str | None:
        """Returns the host of the first URL in the values that the declaration of its setting does not describe.

        None without such a URL. A setting that declares no own URLs has no foreign ones either.
        """
        hosts = (field.find_foreign_host(values.get(field.name)) for field in self.fields)
        return next((host for host in hosts if host), None)

    def hint(self, settings: Settings) -> str:
        """Returns the masked target: enough to tell two integrations apart, not enough to post.

        Returns "" if there is no target URL.
        """
        url = self.target_url(settings)
        return mask_url(url) if url else ""

    # --- rendering

    @abstractmethod
    def render(self, notification: TicketNotification) -> Payload:
        """Renders a ticket event within the limits of the service, whatever the message contains."""

    @abstractmethod
    def render_plain(self, notification: TicketNotification) -> Payload:
        """Renders a ticket event as plain text, for a service that rejected the format of `render`."""

    @abstractmethod
    def render_digest(self, entries: Sequence[DigestEntry]) -> Payload:
        """Renders one message that lists every entry.

        Raises:
            ValueError: There are no entries, or more than `digest_limit`.
        """

    @abstractmethod
    def render_test(self, message: TestMessage) -> Payload: ...

    @abstractmethod
    def render_alert(self, alert: OperatorAlert) -> Payload: ...

    # --- sending

    async def send(
        self,
        client: HttpClient,
        settings: Settings,
        payload: Payload,
        timeout: float,
        memory: TargetMemory,  # noqa: ARG002 - for channels that must learn where to send
    ) -> SendOutcome:
        """Sends the payload with one request, within `timeout` seconds.

        Never raises for failures of the service or of the network.
        """
        return await self.request(client, "POST", self.target_url(settings), payload, timeout)

    async def reply(
        self, client: HttpClient, settings: Settings, ref: str, payload: Payload, timeout: float
    ) -> SendOutcome:
        """Sends the payload as a reply to the message `ref`. Required if `can_thread`.

        `gone` means that the message accepts no replies: a new first message then replaces it.
        """
        raise NotImplementedError

    async def update(
        self, client: HttpClient, settings: Settings, ref: str, payload: Payload, timeout: float
    ) -> SendOutcome:
        """Replaces the content of the message `ref` by the payload. Required if `can_update`."""
        raise NotImplementedError

    async def request(
        self,
        client: HttpClient,
        method: str,
        url: str,
        payload: Payload,
        timeout: float,
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> SendOutcome:
        """Sends one JSON request and classifies the response or the failure of the network.

        `headers` are those that the service requires in addition, such as `Authorization`.
        """
        body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        try:
            all_headers = {**_JSON_HEADERS, **headers}
            response = await client.request(method, url, headers=all_headers, body=body, timeout=timeout)
        except ForbiddenAddressError as error:
            return SendFailure("permanent", error.reason)
        except OutboundError as error:
            return SendRetry(None, error.reason)
        return self.classify_response(response, datetime.now(UTC))

    def classify_response(self, response: HttpResponse, now: datetime) -> SendOutcome:
        """Classifies a response by its status, its error code and `errors`. `now` is an aware `datetime`."""
        code = self.error_code(response)
        return responses.classify(
            response,
            service=self.label,
            code=code,
            known=self.errors.get(code),
            retry_after=self.retry_after(response, now),
            permanent_statuses=self.permanent_statuses,
            ref=self.remote_ref(response),
            pause=self.pause(response),
        )

    def error_code(self, response: HttpResponse) -> str:  # noqa: ARG002 - overridden by channels with error codes
        """Returns the error code in the response, or ""."""
        return ""

    def retry_after(self, response: HttpResponse, now: datetime) -> float | None:
        """Returns the delay in seconds that the service requests, if any."""
        return responses.read_retry_after(response.headers, now)

    def pause(self, response: HttpResponse) -> float:  # noqa: ARG002 - overridden by channels that announce limits
        """Returns for how many seconds the service accepts no further message after a success."""
        return 0.0

    def remote_ref(self, response: HttpResponse) -> str:  # noqa: ARG002 - overridden by channels that can update
        """Returns a small JSON text that identifies the sent message at the service; "" if it cannot be changed."""
        return ""


def find_channel(channels: Mapping[str, Channel], kind: str) -> Channel:
    """Returns the channel of an integration type.

    Raises:
        Refused: The type does not exist.
    """
    channel = channels.get(kind)
    if channel is None:
        raise Refused("invalid_integration", f"type must be one of: {', '.join(sorted(channels))}", "type")
    return channel
