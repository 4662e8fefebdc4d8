"""Models of domains and aliases."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

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
)
from router.admin.domains.domains import DomainView
from router.enumerations import ALIAS_STATUS, AliasStatus, DomainStatus


class DomainAnswer(Answer):
    """A domain in a list."""

    id: str
    domain: str = Field(validation_alias="name")
    status: DomainStatus
    verified: bool
    created_at: Time


class DomainList(Answer):
    """A page of domains."""

    domains: list[DomainAnswer]
    next_cursor: NextCursor = None


class MxRecord(Answer):
    """An MX record to add."""

    priority: int
    value: str


class TxtRecord(Answer):
    """The TXT record to add."""

    name: str
    value: str


class DomainCreated(DomainAnswer):
    """A new domain and the DNS records that verify it."""

    mx_records: list[MxRecord]
    txt_record: TxtRecord

    @classmethod
    def from_view(cls, view: DomainView, mx_hosts: tuple[tuple[str, int], ...]) -> Self:
        txt = next(record for record in view.records if record.type == "TXT")
        return cls.from_model(
            view.domain,
            mx_records=[MxRecord(priority=priority, value=host) for host, priority in mx_hosts],
            txt_record=TxtRecord(name=txt.name, value=txt.expected[0]),
        )


class RecordAnswer(Answer):
    """A DNS record: expected values, found values, and how to fix it."""

    type: Literal["MX", "TXT"]
    name: str
    expected: list[str]
    found: list[str]
    status: Literal["ok", "missing", "wrong", "error"]
    checked_at: Time | None
    fix: str


class DomainDetail(DomainAnswer):
    """A domain with its DNS records: the result of the last check, or the records to add if there is none.

    `proof`: the records that must be correct.
    """

    alias_count: int
    records: list[RecordAnswer]
    proof: Literal["mx", "txt", "mx+txt"]
    verified_at: Time | None
    checked_at: Time | None
    missing_since: Time | None
    mx_managed_upstream: bool

    @classmethod
    def from_view(cls, view: DomainView) -> Self:
        return cls.from_model(view, view.domain)


class DomainChange(Body):
    """Fields to change.

    `mxManagedUpstream`: whether the MX records point to another relay, which forwards the mail. If so, the
    TXT record alone verifies the domain.
    """

    mx_managed_upstream: bool


class DomainCreate(Body):
    """A new domain."""

    codes: ClassVar = {"domain": "invalid_domain"}
    domain: Annotated[str, Field(json_schema_extra={"minLength": 3, "maxLength": 240})]


class DomainDeleteParameters(QueryParameters):
    """`force`: whether to delete the aliases of the domain too."""

    force: BoolParameter = False


class AliasAnswer(Answer):
    """An address and the integration that its messages are posted to."""

    id: str
    email: str
    local_part: str
    domain_id: str
    integration_id: str | None
    status: AliasStatus
    created_at: Time


class AliasList(Answer):
    """A page of aliases."""

    aliases: list[AliasAnswer]
    next_cursor: NextCursor = None


class AliasListParameters(PageParameters):
    """Parameters of the list of aliases."""

    domain_id: Id | None = None


class AliasCreate(Body):
    """A new alias. The local part `*` is the catch-all of the domain."""

    codes: ClassVar = {"localPart": "invalid_alias", "integrationId": "invalid_integration"}
    domain_id: Id
    local_part: Annotated[str, Field(json_schema_extra={"minLength": 1, "maxLength": 64})]
    integration_id: Id


AliasStatusName = Annotated[str, documented(ALIAS_STATUS)]


class AliasChange(Body):
    """Fields to change."""

    codes: ClassVar = {"status": "invalid_status", "integrationId": "invalid_integration"}
    integration_id: Id | None = None
    status: AliasStatusName | None = None


class AliasTested(Answer):
    """The accepted test message and the ticket it opened."""

    message_id: str
    ticket_id: str | None
