"""Models of the routing explanation, the audit log and blocked senders."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from api.schema.shape import Address, Answer, Body, JsonObject, NextCursor, Time


class ExplainRequest(Body):
    """Envelope and subject of a hypothetical message."""

    recipient: Address
    from_: Address | None = Field(default=None, alias="from")
    subject: str | None = None


class StepAnswer(Answer):
    """A routing step. `ok` is false if the step found a problem or its alias was not chosen."""

    step: str
    ok: bool
    detail: str


class ExplainAnswer(Answer):
    """How the message would be routed, step by step.

    `reply` is the SMTP reply to RCPT. `preview` is the payload for the integration.
    """

    recipient: str
    accepted: bool
    reply: str
    domain_id: str | None
    alias_id: str | None
    integration_id: str | None
    tag: str
    steps: list[StepAnswer]
    preview: dict[str, Any] | None


class AuditAnswer(Answer):
    """An audited action and its author.

    `userId` is null for failed sign-ins, automatic changes and the operator at the command line.
    """

    id: str
    at: Time
    user_id: str | None
    key_id: str | None
    address: str
    action: str
    target: str
    detail: JsonObject


class AuditList(Answer):
    """A page of the audit log."""

    audit: list[AuditAnswer]
    next_cursor: NextCursor = None


class BlockedSenderAnswer(Answer):
    """An address, `@domain` or network whose mail is rejected."""

    sender: str
    created_at: Time


class BlockedSenderList(Answer):
    """A page of blocked senders."""

    blocked_senders: list[BlockedSenderAnswer]
    next_cursor: NextCursor = None


class BlockedSenderCreate(Body):
    """A sender to block."""

    sender: str
