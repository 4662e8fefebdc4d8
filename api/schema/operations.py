"""Models of the routing explanation and the audit log."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from api.schema.shape import Address, Answer, Body, JsonObject, NextCursor, PageParameters, Time, filter_parameters
from router.filters import AuditFilter


class ExplainRequest(Body):
    """Envelope and subject of a hypothetical message."""

    recipient: Address
    """Recipient address of the hypothetical message."""
    from_: Address | None = Field(default=None, alias="from")
    """Sender address; null for an example."""
    subject: str | None = None
    """Subject in the preview; null for an example."""


class StepAnswer(Answer):
    """A routing step."""

    step: str
    """What was checked: `domain`, `sender`, `alias`, `postmaster` or `integration`."""
    ok: bool
    """False if the step found a problem, or its alias was not chosen."""
    detail: str
    """Result of the step as text."""


class ExplainAnswer(Answer):
    """How the message would be routed, step by step."""

    recipient: str
    """Recipient address in normalised form."""
    accepted: bool
    """Whether the SMTP server would accept the recipient."""
    reply: str
    """SMTP reply to RCPT."""
    domain_id: str | None
    """Domain of the recipient; null if it is unknown."""
    alias_id: str | None
    """Alias that would receive the message; null if none would."""
    integration_id: str | None
    """Integration that the ticket would be posted to; null if none."""
    tag: str
    """Tag in the address, such as `vip` in `support+vip@example.com`; empty without one."""
    steps: list[StepAnswer]
    """Steps of the decision, in order."""
    preview: Annotated[dict[str, Any], Field(title="Preview")] | None
    """Payload that would be posted to the integration; null without one."""


AuditListParameters = filter_parameters(
    "AuditListParameters", "Parameters of the audit log.", AuditFilter, PageParameters
)


class AuditAnswer(Answer):
    """An audited action and its author."""

    id: str
    """Id of the entry (`evt_...`)."""
    at: Time
    """When the action happened."""
    user_id: str | None
    """User who acted; null for failed sign-ins, automatic changes and the operator at the command line."""
    key_id: str | None
    """API key of the request; null without one."""
    address: str
    """IP address of the client; empty if there was none."""
    action: str
    """Noun and verb, such as `user.create`."""
    target: str
    """Id or name of the changed object."""
    detail: JsonObject
    """Changed values, without secrets. The keys depend on the action."""


class AuditList(Answer):
    """A page of the audit log."""

    audit: list[AuditAnswer]
    """Entries, newest first."""
    next_cursor: NextCursor = None
