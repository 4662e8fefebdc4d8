"""Models of aliases."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field

from api.schema.check_policies import SenderChecksChange, StoredAliasSenderChecks
from api.schema.shape import (
    Answer,
    Body,
    Id,
    NextCursor,
    PageParameters,
    Time,
    documented,
    filter_parameters,
)
from router.admin.routes.reply_settings import MAX_SIGNATURE_LENGTH
from router.enumerations import ALIAS_STATUS, AliasStatus
from router.filters import AliasFilter
from router.mail.compose.sender_name import MAX_NAME_LENGTH as MAX_SENDER_NAME_LENGTH


class AcknowledgeAnswer(Answer):
    """How new tickets are acknowledged."""

    template_id: str
    """Template of the acknowledgement."""


# From the id of the template.
StoredAcknowledge = Annotated[
    AcknowledgeAnswer | None,
    BeforeValidator(
        lambda template_id: None if template_id is None else AcknowledgeAnswer(template_id=template_id),
        json_schema_input_type=AcknowledgeAnswer | None,
    ),
]


class AliasAnswer(Answer):
    """An address and the integration that its messages are posted to."""

    id: str
    """Id of the alias (`alias_...`)."""
    email: str
    """Full address."""
    local_part: str
    """Part before the `@`, as entered; `*` is the catch-all."""
    domain_id: str
    """Domain of the address."""
    integration_id: str | None
    """Integration that its tickets are posted to; null if none."""
    status: AliasStatus
    """Mail to a `disabled` alias is rejected."""
    created_at: Time
    """When the alias was created."""
    forwarded_from: str | None
    """Address at another mail system that forwards to this alias, as a note; it proves nothing. Null without one."""
    sender_checks: StoredAliasSenderChecks = Field(validation_alias="check_policy")
    """Settings of the sender checks that override those of the workspace."""
    sender_name: str
    """Pattern of the name in From of replies, with `{agent}` and `{workspace}`; empty for `{agent} ({workspace})`."""
    signature: str
    """Text with placeholders that ends replies; empty without one."""
    reply_to_token: bool
    """Whether Reply-To of replies is an address with the token of the ticket, so that all answers join it."""
    acknowledge: StoredAcknowledge = Field(validation_alias="acknowledge_template_id")
    """How new tickets are acknowledged; null if they are not."""


class AliasList(Answer):
    """A page of aliases."""

    aliases: list[AliasAnswer]
    """Aliases, newest first."""
    next_cursor: NextCursor = None


AliasListParameters = filter_parameters(
    "AliasListParameters", "Parameters of the list of aliases.", AliasFilter, PageParameters
)


class AcknowledgeChange(Body):
    """How new tickets are acknowledged."""

    template_id: Id
    """Template of the acknowledgement."""


SenderName = Annotated[str, Field(json_schema_extra={"maxLength": MAX_SENDER_NAME_LENGTH})]
Signature = Annotated[str, Field(json_schema_extra={"maxLength": MAX_SIGNATURE_LENGTH})]


class AliasCreate(Body):
    """A new alias."""

    codes: ClassVar = {"localPart": "invalid_alias", "integrationId": "invalid_integration"}
    domain_id: Id
    """Domain of the address."""
    local_part: Annotated[str, Field(json_schema_extra={"minLength": 1, "maxLength": 64})]
    """Part before the `@`, in upper or lower case; `*` is the catch-all of the domain."""
    integration_id: Id
    """Integration that its tickets are posted to."""
    forwarded_from: Annotated[str | None, Field(json_schema_extra={"maxLength": 254})] = None
    """Address at another mail system that forwards to this alias, as a note; it proves nothing."""
    sender_checks: SenderChecksChange | None = None
    """Settings of the sender checks that override those of the workspace."""
    sender_name: SenderName | None = None
    """Pattern of the name in From of replies, with `{agent}` and `{workspace}`."""
    signature: Signature | None = None
    """Text with placeholders that ends replies."""
    reply_to_token: bool | None = None
    """Whether Reply-To of replies is an address with the token of the ticket, so that all answers join it."""
    acknowledge: AcknowledgeChange | None = None
    """How new tickets are acknowledged; null if they are not."""


AliasStatusName = Annotated[str, documented(ALIAS_STATUS)]


class AliasChange(Body):
    """Fields to change. Fields that are not given or null stay unchanged, except that `forwardedFrom: null` removes the
    note, and `acknowledge: null` disables acknowledgements.
    """

    codes: ClassVar = {"status": "invalid_status", "integrationId": "invalid_integration"}
    integration_id: Id | None = None
    """Integration that new tickets are posted to."""
    status: AliasStatusName | None = None
    """Mail to a `disabled` alias is rejected."""
    forwarded_from: Annotated[str | None, Field(json_schema_extra={"maxLength": 254})] = None
    """Address at another mail system that forwards to this alias, as a note; null removes it."""
    sender_checks: SenderChecksChange | None = None
    """New settings of the sender checks; a setting that is null is that of the workspace."""
    sender_name: SenderName | None = None
    """Pattern of the name in From of replies, with `{agent}` and `{workspace}`; empty for the default."""
    signature: Signature | None = None
    """Text with placeholders that ends replies; empty removes it."""
    reply_to_token: bool | None = None
    """Whether Reply-To of replies is an address with the token of the ticket, so that all answers join it."""
    acknowledge: AcknowledgeChange | None = None
    """How new tickets are acknowledged; null disables it."""


class AliasTested(Answer):
    """The accepted test message and the ticket it opened."""

    message_id: str
    """Id of the test message."""
    ticket_id: str | None
    """Ticket that the message opened; null if it was deleted already."""
    server: str
    """Address of the SMTP server that accepted the message."""
