"""Models of the message search."""

from __future__ import annotations

from typing import Self

from pydantic import Field

from api.schema.shape import Answer, QueryParameters, Time
from router.model import Message


class MessageSearchParameters(QueryParameters):
    """Search parameters."""

    q: str = Field(
        description="Message id (`msg_...`), Message-ID with or without angle brackets, or ticket id or number.",
        examples=["#12"],
    )


class MessageRow(Answer):
    """A message in a list.

    `from` and `subject` come from the header, `reversePath` from the envelope.
    """

    id: str
    from_address: str = Field(serialization_alias="from")
    from_name: str
    reverse_path: str
    subject: str
    rfc_message_id: str
    size: int
    received_at: Time

    @classmethod
    def from_model(cls, message: Message) -> Self:
        return cls(
            id=message.id,
            from_address=message.from_address,
            from_name=message.from_name,
            reverse_path=message.reverse_path,
            subject=message.subject,
            rfc_message_id=message.rfc_message_id,
            size=message.size,
            received_at=message.received_at,
        )


class MessageList(Answer):
    """Matching messages."""

    messages: list[MessageRow]
