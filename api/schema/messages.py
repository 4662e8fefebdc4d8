"""Shapes of mails that were looked for."""

from __future__ import annotations

from typing import Self

from pydantic import Field

from api.schema.shape import Answer, Query, Time
from router.model import Message


class Find(Query):
    """What to look for."""

    q: str = Field(
        description="A message's id (`msg_...`), a Message-ID with or without brackets, or a ticket's id or number.",
        examples=["#12"],
    )


class MessageRow(Answer):
    """A mail in a list. `from` and `subject` as its header has them, `reversePath` as the envelope."""

    id: str
    from_address: str = Field(serialization_alias="from")
    from_name: str
    reverse_path: str
    subject: str
    rfc_message_id: str
    size: int
    received_at: Time

    @classmethod
    def of(cls, message: Message) -> Self:
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
    """The mails that were found."""

    messages: list[MessageRow]
