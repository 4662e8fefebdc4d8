"""Shapes of the explanation, the audit and the blocked senders."""

from __future__ import annotations

import json
from typing import Any, Self

from pydantic import Field

from api.schema.shape import Address, Answer, Body, NextCursor, Time
from router.admin.routes.explain import Explanation
from router.model import AuditEntry, BlockedSender


class ExplainRequest(Body):
    """The mail that is imagined."""

    recipient: Address
    from_: Address | None = Field(default=None, alias="from")
    subject: str | None = None


class StepAnswer(Answer):
    """One question on the way; ok: it went on from here."""

    step: str
    ok: bool
    detail: str


class ExplainAnswer(Answer):
    """What would happen and why; `preview` is what the integration would be sent."""

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
    def of(cls, found: Explanation) -> Self:
        return cls(
            recipient=found.recipient,
            accepted=found.accepted,
            reply=found.reply,
            domain_id=found.domain_id,
            alias_id=found.alias_id,
            integration_id=found.integration_id,
            tag=found.tag,
            steps=[StepAnswer(step=step.step, ok=step.ok, detail=step.detail) for step in found.steps],
            preview=found.preview,
        )


class AuditAnswer(Answer):
    """Who changed what; `userId` is null for the operator at the command line."""

    id: str
    at: Time
    user_id: str | None
    key_id: str | None
    address: str
    action: str
    target: str
    detail: dict[str, Any]

    @classmethod
    def of(cls, entry: AuditEntry) -> Self:
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
    """A page of changes."""

    audit: list[AuditAnswer]
    next_cursor: NextCursor = None


class BlockedSenderAnswer(Answer):
    """An address, `@domain` or network whose mail is refused."""

    sender: str
    created_at: Time

    @classmethod
    def of(cls, blocked: BlockedSender) -> Self:
        return cls(sender=blocked.sender, created_at=blocked.created_at)


class BlockedSenderList(Answer):
    """A page of blocked senders."""

    blocked_senders: list[BlockedSenderAnswer]
    next_cursor: NextCursor = None


class BlockedSenderCreate(Body):
    """One more."""

    sender: str
