"""Models of integrations."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from api.schema.shape import Answer, Body, Milliseconds, Name, NextCursor, PageParameters, Time, filter_parameters
from router.enumerations import IntegrationStatus
from router.errors import InvalidSetting, Refused
from router.filters import IntegrationFilter

# The setting that is also accepted at the top level.
WEBHOOK_URL = "webhookUrl"
Url = Annotated[str, Field(json_schema_extra={"minLength": 1, "format": "uri"})]


class IntegrationAnswer(Answer):
    """A destination that tickets are posted to."""

    id: str
    """Id of the integration (`int_...`)."""
    type: str
    """Service that tickets are posted to."""
    name: str
    """Name shown in the dashboard."""
    settings: dict[str, str]
    """Settings that are set and not secret, by name."""
    hint: str
    """Masked URL or name of the target, to recognise it."""
    status: IntegrationStatus
    """`failing` while posts to the integration fail; its deliveries then wait."""
    last_error: str
    """Reason of the last failure; empty if the last post succeeded."""
    failing_since: Time | None
    """When the integration started to fail; null for an active one."""
    created_at: Time
    """When the integration was created."""
    last_test_at: Time | None
    """When the last test message with the current settings was sent; null without one."""
    last_test_error: str
    """Why the last test message did not arrive; empty if it arrived."""


class IntegrationList(Answer):
    """A page of integrations."""

    integrations: list[IntegrationAnswer]
    """Integrations, newest first."""
    next_cursor: NextCursor = None


IntegrationListParameters = filter_parameters(
    "IntegrationListParameters", "Parameters of the list of integrations.", IntegrationFilter, PageParameters
)


class _SettingsBody(Body):
    """A body with settings. The channel of the integration validates them."""

    settings: dict[str, Any] | None = None
    """Settings of the type, by name."""
    webhook_url: Url | None = None
    """Short for `settings.webhookUrl`. Stored encrypted and never returned."""

    def read_settings(self) -> dict[str, Any]:
        """Returns the settings of both places. Raises `Refused` if they contradict each other."""
        settings = dict(self.settings or {})
        if self.webhook_url is not None and settings.setdefault(WEBHOOK_URL, self.webhook_url) != self.webhook_url:
            message = f"{WEBHOOK_URL} and settings.{WEBHOOK_URL} differ: give only one of them"
            raise Refused("invalid_request", message, WEBHOOK_URL)
        return settings

    def locate_error(self, error: InvalidSetting) -> Refused:
        """Returns the error with the place of the setting in this body as its field."""
        at_top_level = error.field == WEBHOOK_URL and (self.webhook_url is not None or self.settings is None)
        return Refused(error.code, error.message, WEBHOOK_URL if at_top_level else f"settings.{error.field}")


class IntegrationCreate(_SettingsBody):
    """A new integration."""

    codes: ClassVar = {"type": "invalid_integration", WEBHOOK_URL: "invalid_webhook_url"}
    type: str
    """Service that tickets are posted to."""
    name: Name
    """Name shown in the dashboard."""


class IntegrationChange(_SettingsBody):
    """Fields to change. New settings reactivate a failing integration."""

    codes: ClassVar = {WEBHOOK_URL: "invalid_webhook_url"}
    settings: dict[str, Any] | None = None
    """Settings to change, by name. Settings that are not given stay unchanged; null removes an optional one."""
    name: Name | None = None
    """New name."""


class IntegrationTested(Answer):
    """Response of the endpoint to the test message."""

    ok: bool
    """Whether the endpoint accepted the test message."""
    status: int | None
    """HTTP status of the response; null without a response."""
    answer: str = Field(validation_alias="response")
    """Start of the response body; empty without a response."""
    reason: str
    """Why the test failed; empty if it succeeded."""
    latency_ms: Milliseconds = Field(validation_alias="latency")
    """Time until the response, in milliseconds."""
