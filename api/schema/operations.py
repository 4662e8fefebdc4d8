"""Models of the routing explanation, the audit log and blocked senders."""

from __future__ import annotations

import json
from typing import Any, Self

from pydantic import Field

from api.schema.shape import Address, Answer, Body, NextCursor, Time
from router.admin.routes.explain import Explanation
from router.model import AuditEntry, BlockedSender


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

    @classmethod
    def from_model(cls, explanation: Explanation) -> Self:
        return cls(
            recipient=explanation.recipient,
            accepted=explanation.accepted,
            reply=explanation.reply,
            domain_id=explanation.domain_id,
            alias_id=explanation.alias_id,
            integration_id=explanation.integration_id,
            tag=explanation.tag,
            steps=[StepAnswer(step=step.step, ok=step.ok, detail=step.detail) for step in explanation.steps],
            preview=explanation.preview,
        )


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
    detail: dict[str, Any]

    @classmethod
    def from_model(cls, entry: AuditEntry) -> Self:
        return cls(
            id=entry.id,
            at=entry.at,
            user_id=entry.user_id,
            key_id=entry.key_id,
            address=entry.address,
            action=entry.action,
            target=entry.target,
            detail=json.loads(entry.detail),
        )


class AuditList(Answer):
    """A page of the audit log."""

    audit: list[AuditAnswer]
    next_cursor: NextCursor = None


class BlockedSenderAnswer(Answer):
    """An address, `@domain` or network whose mail is rejected."""

    sender: str
    created_at: Time

    @classmethod
    def from_model(cls, blocked: BlockedSender) -> Self:
        return cls(sender=blocked.sender, created_at=blocked.created_at)


class BlockedSenderList(Answer):
    """A page of blocked senders."""

    blocked_senders: list[BlockedSenderAnswer]
    next_cursor: NextCursor = None


class BlockedSenderCreate(Body):
    """A sender to block."""

    sender: str
