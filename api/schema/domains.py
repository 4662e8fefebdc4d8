"""Models of domains."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field

from api.schema.enumerations import (
    DomainProof,
    RecordPurpose,
    RecordStatus,
    RecordType,
    SigningKeyState,
    SmarthostStage,
)
from api.schema.shape import (
    Answer,
    Body,
    BoolParameter,
    Milliseconds,
    NextCursor,
    PageParameters,
    QueryParameters,
    Time,
    filter_parameters,
)
from router.admin.domains.domain_view import DomainView
from router.enumerations import DkimAlgorithm, DomainStatus, SendingStatus
from router.filters import DomainFilter


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
    sending: SendingStatus
    """Whether replies can be sent from the domain: `off`, `pending` until its DKIM record is correct, `active`, or
    `failing` if that record was lost. New replies need `active`.
    """
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
        txt = next(record for record in view.records if record.purpose == "verification")
        return cls.from_model(
            view.domain,
            mx_records=[MxRecord(priority=priority, value=host) for host, priority in mx_hosts],
            txt_record=TxtRecord(name=txt.name, value=txt.expected[0]),
            zone_file=view.zone_file,
        )


class RecordAnswer(Answer):
    """A DNS record: expected values, found values, and how to fix it."""

    purpose: RecordPurpose
    """What the record is for."""
    type: RecordType
    """Type of the record."""
    name: str
    """Full name of the record."""
    expected: list[str]
    """Correct values. For `spf` and `dmarc` the record to publish, which keeps what the current one says."""
    strings: list[str]
    """The expected value of a TXT record in strings of at most 255 bytes, for DNS providers that need several."""
    found: list[str]
    """Values that the last check found."""
    status: RecordStatus
    """`ok`, `missing`, `wrong`, or `error` if DNS did not answer."""
    checked_at: Time | None
    """When the record was last checked; null before the first check."""
    fix: str
    """What to change, as text; empty if the record is correct and nothing is recommended."""


class SigningKeyAnswer(Answer):
    """A DKIM key of a domain."""

    selector: str
    """Selector of the key, such as `er202611`."""
    name: str
    """Full name of its record."""
    algorithm: DkimAlgorithm
    """`rsa`, or `ed25519` with `[outgoing] dkim_ed25519`."""
    state: SigningKeyState
    """`waiting` until DNS shows the record, `active` while it signs, `retired` after a newer key replaced it."""
    created_at: Time
    """When the key was made."""
    active_at: Time | None
    """When DNS first showed its record; null before."""
    retired_at: Time | None
    """When a newer key replaced it; null before."""
    removable_at: Time | None
    """When the record of a retired key can be removed from DNS: 7 days after `retiredAt`; null before."""


class DomainSmarthost(Answer):
    """The mail server that sends the replies from a domain."""

    url: str
    """URL without password; most of the user name is replaced by `…`."""


class DomainDetail(DomainAnswer):
    """A domain with its DNS records."""

    alias_count: int
    """Number of aliases of the domain."""
    records: list[RecordAnswer]
    """Result of the last check; before the first check, the records to add. `dkim`, `spf` and `dmarc` are only listed
    while sending is not `off`.
    """
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
    sending_checked_at: Time | None
    """When the records for sending were last checked; null before the first check."""
    signing_keys: list[SigningKeyAnswer] = Field(validation_alias="keys")
    """DKIM keys of the domain, oldest first."""
    smarthost: DomainSmarthost | None
    """Smarthost of the domain; null if it uses that of the installation."""
    zone_file: ZoneFile
    """The expected records as lines of a zone file (RFC 1035), for DNS providers that import one."""

    @classmethod
    def from_view(cls, view: DomainView) -> Self:
        smarthost = None if view.smarthost is None else DomainSmarthost(url=view.smarthost)
        return cls.from_model(view, view.domain, smarthost=smarthost)


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


class DomainSmarthostChange(Body):
    """The mail server that sends the replies from a domain. It needs TLS with a valid certificate."""

    url: Annotated[str, Field(json_schema_extra={"minLength": 1, "maxLength": 500})]
    """`smtps://user@host:465`, or `smtp://user@host:587` with STARTTLS; only public hosts are allowed."""
    password: Annotated[str | None, Field(json_schema_extra={"maxLength": 1000})] = None
    """Password of the user. Without one, that of the current smarthost with the same user and host stays."""


class DomainChange(Body):
    """Fields to change. Fields that are not given stay unchanged; `smarthost: null` removes the smarthost."""

    mx_managed_upstream: bool | None = None
    """Whether the MX records point to another relay, which forwards the mail. If so, the TXT record alone verifies the
    domain.
    """
    smarthost: DomainSmarthostChange | None = None
    """Smarthost of the domain; null stands for that of the installation."""


class DomainSending(Body):
    """Whether replies are sent from the domain."""

    enabled: bool
    """With `true`, makes the DKIM keys the first time, and checks the records. They stay when sending is turned off."""


class SmarthostTested(Answer):
    """What a connection to the smarthost has shown. Nothing was sent."""

    ok: bool
    """Whether replies can be submitted."""
    stage: SmarthostStage
    """The last step that was tried."""
    code: int | None
    """Reply code of the smarthost; null if `text` is a description."""
    text: str
    """Reply of the smarthost, or what went wrong."""
    tls: str
    """Version of TLS, such as `TLSv1.3`; empty without TLS."""
    authenticated: bool = Field(validation_alias="is_authenticated")
    """Whether a user and a password were accepted."""
    smtputf8: bool = Field(validation_alias="supports_smtputf8")
    """Whether replies can be sent to addresses with non-ASCII characters before the `@`."""
    max_message_bytes: int | None
    """Largest message that the smarthost accepts; null if it does not say."""
    latency_ms: Milliseconds = Field(validation_alias="latency")
    """Time that the test took, in milliseconds."""


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
