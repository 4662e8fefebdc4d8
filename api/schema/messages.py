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


class MessageList(Answer):
    """Matching messages."""

    messages: list[MessageRow]
