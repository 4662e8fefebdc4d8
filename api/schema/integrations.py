"""Models of integrations."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from api.schema.shape import Answer, Body, Milliseconds, Name, NextCursor, Time
from router.enumerations import IntegrationStatus
from router.errors import InvalidSetting, Refused

# The setting that is also accepted at the top level.
WEBHOOK_URL = "webhookUrl"
Url = Annotated[str, Field(json_schema_extra={"minLength": 1, "format": "uri"})]


class IntegrationAnswer(Answer):
    """A destination that tickets are posted to. `hint` is its masked URL; `settings` are those that are not secret."""

    id: str
    type: str
    name: str
    settings: dict[str, str]
    hint: str
    status: IntegrationStatus
    last_error: str
    failing_since: Time | None
    created_at: Time


class IntegrationList(Answer):
    """A page of integrations."""

    integrations: list[IntegrationAnswer]
    next_cursor: NextCursor = None


class _SettingsBody(Body):
    """A body with settings. The channel of the integration validates them."""

    settings: dict[str, Any] | None = None
    webhook_url: Url | None = None

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
    """A new integration. `webhookUrl` is short for `settings.webhookUrl`."""

    codes: ClassVar = {"type": "invalid_integration", WEBHOOK_URL: "invalid_webhook_url"}
    type: str
    name: Name


class IntegrationChange(_SettingsBody):
    """Fields to change. Settings that are not given stay unchanged; null removes an optional one.

    New settings reactivate a failing integration.
    """

    codes: ClassVar = {WEBHOOK_URL: "invalid_webhook_url"}
    name: Name | None = None


class IntegrationTested(Answer):
    """Response of the endpoint to the test message.

    `status` is the HTTP status, null without a response.
    """

    ok: bool
    status: int | None
    answer: str = Field(validation_alias="response")
    reason: str
    latency_ms: Milliseconds = Field(validation_alias="latency")
