"""Models of the message search."""

from __future__ import annotations

from pydantic import Field

from api.schema.shape import Answer, QueryParameters, Time


class MessageSearchParameters(QueryParameters):
    """Search parameters."""

    q: str = Field(
        description="Message id (`msg_...`), Message-ID with or without angle brackets, or ticket id or number.",
        examples=["#12"],
    )


class MessageRow(Answer):
    """A message in a list."""

    id: str
    """Id of the message (`msg_...`), also in the SMTP reply to the sender."""
    from_address: str = Field(serialization_alias="from")
    """Address in the From field; empty without one. Unverified."""
    from_name: str
    """Display name in the From field; empty without one. Unverified."""
    reverse_path: str
    """Envelope sender (MAIL FROM); empty for bounces."""
    subject: str
    """Subject of the message; empty without one."""
    rfc_message_id: str
    """Message-ID without angle brackets; empty without one."""
    size: int
    """Size of the original message in bytes."""
    received_at: Time
    """When the message was accepted."""


class MessageList(Answer):
    """Matching messages."""

    messages: list[MessageRow]
    """Matching messages, newest first, at most 50."""
