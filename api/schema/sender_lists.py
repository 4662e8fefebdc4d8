"""Models of allowed and blocked senders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import Field, RootModel

from api.schema.shape import (
    Answer,
    Body,
    NextCursor,
    PageParameters,
    Time,
    documented,
    filter_parameters,
)
from router.admin.routes.listed_senders import MAX_BATCH, MAX_NOTE_LENGTH, AddedSenders
from router.enumerations import BLOCK_ACTION, BlockAction
from router.errors import Refused
from router.filters import TextFilter
from router.model import AllowedSender, BlockedSender

_Senders = Annotated[list[str], Field(json_schema_extra={"minItems": 1, "maxItems": MAX_BATCH})]
_Note = Annotated[str, Field(description=f"At most {MAX_NOTE_LENGTH} characters.")]
_AlreadyListed = Annotated[
    list[str], Field(description="Senders that were listed before. Their settings are unchanged.")
]


class AllowedSenderAnswer(Answer):
    """A sender whose mail is neither rejected nor spam."""

    sender: str
    """Address, `@domain`, `.domain` (with all domains below it) or network."""
    require_auth: bool
    """Whether the entry only counts for authenticated messages; false for a network."""
    note: str
    """Note; empty without one."""
    hits: int
    """Number of messages that the entry decided about. A crash may lose the hits of the last seconds."""
    last_hit_at: Time | None
    """When the entry last decided about a message; null if never."""
    created_at: Time
    """When the sender was added."""


class AllowedSenderList(Answer):
    """A page of allowed senders."""

    allowed_senders: list[AllowedSenderAnswer]
    """Allowed senders, in alphabetical order."""
    next_cursor: NextCursor = None


class AllowedSendersAdded(Answer):
    """What became of the `senders` of a request."""

    allowed_senders: list[AllowedSenderAnswer]
    """Senders that were added."""
    already_listed: _AlreadyListed

    @classmethod
    def from_result(cls, result: AddedSenders[AllowedSender]) -> Self:
        added = [AllowedSenderAnswer.from_model(each) for each in result.added]
        return cls(allowed_senders=added, already_listed=list(result.already_listed))


class AllowedSenderCreated(RootModel[AllowedSenderAnswer | AllowedSendersAdded]):
    """The added sender, or, for a request with `senders`, what became of each."""


class _SenderCreate(Body):
    sender: str | None = None
    """One sender: address, `@domain`, `.domain` (with all domains below it) or network. An error if it is listed."""
    senders: _Senders | None = None
    """Many senders. All are added, or none if one is invalid. Those that are already listed stay unchanged."""
    note: _Note = ""
    """Note on each of the senders."""

    def one_or_many(self) -> str | Sequence[str]:
        """Returns `sender` or `senders`. Raises `Refused` unless exactly one of them is given."""
        given = [each for each in (self.sender, self.senders) if each is not None]
        if len(given) != 1:
            raise Refused("invalid_request", "either sender or senders must be given", "sender")
        return given[0]


class AllowedSenderCreate(_SenderCreate):
    """Senders to allow: either `sender` or `senders`."""

    require_auth: bool | None = None
    """Whether the entry only counts for authenticated messages. Default: true, but false for networks."""


class BlockedSenderAnswer(Answer):
    """A sender whose mail is rejected or held as spam."""

    sender: str
    """Address, `@domain`, `.domain` (with all domains below it) or network."""
    action: BlockAction
    """What happens to mail of the sender."""
    note: str
    """Note; empty without one."""
    hits: int
    """Number of rejected recipients, and of spam messages. A crash may lose the hits of the last seconds."""
    last_hit_at: Time | None
    """When mail of the sender was last rejected or marked as spam; null if never."""
    created_at: Time
    """When the sender was blocked."""


class BlockedSenderList(Answer):
    """A page of blocked senders."""

    blocked_senders: list[BlockedSenderAnswer]
    """Blocked senders, in alphabetical order."""
    next_cursor: NextCursor = None


class BlockedSendersAdded(Answer):
    """What became of the `senders` of a request."""

    blocked_senders: list[BlockedSenderAnswer]
    """Senders that were added."""
    already_listed: _AlreadyListed

    @classmethod
    def from_result(cls, result: AddedSenders[BlockedSender]) -> Self:
        added = [BlockedSenderAnswer.from_model(each) for each in result.added]
        return cls(blocked_senders=added, already_listed=list(result.already_listed))


class BlockedSenderCreated(RootModel[BlockedSenderAnswer | BlockedSendersAdded]):
    """The added sender, or, for a request with `senders`, what became of each."""


class BlockedSenderCreate(_SenderCreate):
    """Senders to block: either `sender` or `senders`."""

    action: Annotated[str, documented(BLOCK_ACTION)] = "refuse"
    """What happens to mail of the senders."""


AllowedSenderListParameters = filter_parameters(
    "AllowedSenderListParameters", "Parameters of the list of allowed senders.", TextFilter, PageParameters
)
BlockedSenderListParameters = filter_parameters(
    "BlockedSenderListParameters", "Parameters of the list of blocked senders.", TextFilter, PageParameters
)
