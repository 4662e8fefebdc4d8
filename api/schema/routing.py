"""Models of domains and aliases."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import BeforeValidator, Field

from api.schema.check_policies import SenderChecksChange, StoredAliasSenderChecks
from api.schema.enumerations import DomainProof, RecordStatus, RecordType
from api.schema.shape import (
    Answer,
    Body,
    BoolParameter,
    Id,
    NextCursor,
    PageParameters,
    QueryParameters,
    Time,
    documented,
    filter_parameters,
)
from router.admin.domains.domains import DomainView
from router.admin.routes.reply_settings import MAX_SIGNATURE_LENGTH
from router.enumerations import ALIAS_STATUS, AliasStatus, DomainStatus
from router.filters import AliasFilter, DomainFilter
from router.mail.compose.sender_name import MAX_NAME_LENGTH as MAX_SENDER_NAME_LENGTH


class DomainAnswer(Answer):
    """A domain in a list."""

    id: str
    """Id of the domain (`dom_...`)."""
    domain: str = Field(validation_alias="name")
    """Name in lower case; internationalised names as A-labels."""
    status: DomainStatus
    """`pending_verification` until the DNS records are correct, then `active`."""
    verified: bool
    """Whether the domain is `active`, so that its mail is accepted."""
    created_at: Time
    """When the domain was created."""


class DomainList(Answer):
    """A page of domains."""

    domains: list[DomainAnswer]
    """Domains, newest first."""
    next_cursor: NextCursor = None


DomainListParameters = filter_parameters(
    "DomainListParameters", "Parameters of the list of domains.", DomainFilter, PageParameters
)


class MxRecord(Answer):
    """An MX record to add."""

    priority: int
    """Preference value; mail goes to the lowest first."""
    value: str
    """Host name that receives the mail."""


class TxtRecord(Answer):
    """The TXT record to add."""

    name: str
    """Full name of the record."""
    value: str
    """Text of the record."""


ZoneFile = Annotated[
    str,
    Field(
        json_schema_extra={
            "examples": [
                "example.com. 3600 IN MX 10 mx1.example.net.\n"
                '_emailrouter.example.com. 3600 IN TXT "emailrouter-verification=..."\n'
            ]
        },
    ),
]


class DomainCreated(DomainAnswer):
    """A new domain and the DNS records that verify it."""

    mx_records: list[MxRecord]
    """MX records to add, so that mail arrives here."""
    txt_record: TxtRecord
    """TXT record to add. It keeps the domain verified while its MX records are temporarily wrong."""
    zone_file: ZoneFile
    """The records to add as lines of a zone file (RFC 1035), for DNS providers that import one."""

    @classmethod
    def from_view(cls, view: DomainView, mx_hosts: tuple[tuple[str, int], ...]) -> Self:
        txt = next(record for record in view.records if record.type == "TXT")
        return cls.from_model(
            view.domain,
            mx_records=[MxRecord(priority=priority, value=host) for host, priority in mx_hosts],
            txt_record=TxtRecord(name=txt.name, value=txt.expected[0]),
            zone_file=view.zone_file,
        )


class RecordAnswer(Answer):
    """A DNS record: expected values, found values, and how to fix it."""

    type: RecordType
    """Type of the record."""
    name: str
    """Full name of the record."""
    expected: list[str]
    """Correct values."""
    found: list[str]
    """Values that the last check found."""
    status: RecordStatus
    """`ok`, `missing`, `wrong`, or `error` if DNS did not answer."""
    checked_at: Time | None
    """When the record was last checked; null before the first check."""
    fix: str
    """What to change, as text; empty if the record is correct."""


class DomainDetail(DomainAnswer):
    """A domain with its DNS records."""

    alias_count: int
    """Number of aliases of the domain."""
    records: list[RecordAnswer]
    """Result of the last check; before the first check, the records to add."""
    proof: DomainProof
    """Records that must be correct for the domain to be verified."""
    verified_at: Time | None
    """When the domain was last verified; null if it never was."""
    checked_at: Time | None
    """When the records were last checked; null before the first check."""
    missing_since: Time | None
    """When a check first found no correct record; null if the last one found one."""
    mx_managed_upstream: bool
    """Whether the MX records point to another relay, which forwards the mail. The TXT record alone then verifies the
    domain.
    """
    zone_file: ZoneFile
    """The expected records as lines of a zone file (RFC 1035), for DNS providers that import one."""

    @classmethod
    def from_view(cls, view: DomainView) -> Self:
        return cls.from_model(view, view.domain)


class ProviderAnswer(Answer):
    """A known provider of mailboxes."""

    id: str = Field(validation_alias="key")
    """Identifier that never changes: `google`, `microsoft`, `zoho`, `fastmail`, `proton` or `icloud`."""
    name: str
    """Name of the service, such as `Google Workspace`."""
    forwarding_steps: list[str]
    """How one address is forwarded to another at this provider, as sentences in Markdown."""
    sends_confirmation: bool
    """Whether the provider first sends a confirmation message to the new address. It becomes a ticket."""
    blocks_forwarding: bool
    """Whether the provider blocks forwarding to other mail systems until an administrator allows it."""


class DomainPreviewed(Answer):
    """Who receives the mail of a domain now, and what pointing its MX records to this installation means."""

    domain: str = Field(validation_alias="name")
    """Domain as it would be added: lower case, A-labels, no trailing dot."""
    mx: list[str]
    """MX records found, such as `10 mx.example.net`, lowest number first."""
    failure: str
    """Why the MX records could not be read; empty if they were read."""
    receiver: str
    """Provider or server that receives the mail now; empty if no other server does."""
    provider: ProviderAnswer | None
    """The known provider; null for any other server."""
    moves_all_mail: bool
    """Whether pointing the MX records here takes all mail of the domain from another server."""
    suggested_subdomain: str
    """Subdomain to add instead, which moves no mail; empty if `movesAllMail` is false."""
    name_without_www: str
    """For a name such as `www.example.com`, the domain that was probably meant; empty for others."""
    domain_id: str
    """Id of this domain in the workspace; empty if it is not added yet."""
    warning: str
    """What changing the MX records means; empty if `movesAllMail` is false."""


class DomainPreviewParameters(QueryParameters):
    """Parameters of the preview of a domain."""

    codes: ClassVar = {"domain": "invalid_domain"}
    domain: Annotated[str, Field(json_schema_extra={"minLength": 3, "maxLength": 2000})]
    """A domain, an address at it, or the URL of its website."""


class DomainChange(Body):
    """Fields to change."""

    mx_managed_upstream: bool
    """Whether the MX records point to another relay, which forwards the mail. If so, the TXT record alone verifies the
    domain.
    """


class DomainCreate(Body):
    """A new domain."""

    codes: ClassVar = {"domain": "invalid_domain"}
    domain: Annotated[str, Field(json_schema_extra={"minLength": 3, "maxLength": 2000})]
    """Domain name, such as `example.com`; may have non-ASCII characters. An address at it or the URL of its website
    stands for the domain.
    """


class DomainDeleteParameters(QueryParameters):
    """Parameters of the deletion of a domain."""

    force: BoolParameter = False
    """With `true`, deletes the aliases of the domain too."""


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
