"""A domain as it is shown: with its DNS records, its keys and its smarthost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from config.smarthost_url import parse
from router.admin.domains.domain_checks import DomainCheckService
from router.dns.verification import RecordReport, VerificationMode, expected_records, load_records
from router.dns.zone_file import format_zone_file
from router.enumerations import DkimAlgorithm
from router.mail.dkim.private_key import record_name
from router.model import Domain, DomainKey, Micros
from router.replies import sealed_smarthost, sending_state
from router.store.database import QueryExecutor

KeyState = Literal["waiting", "active", "retired"]


@dataclass(frozen=True, slots=True)
class SigningKeyView:
    """A DKIM key of a domain.

    Attributes:
        name: The full name of its record.
        state: `waiting` until DNS shows the record, `active` while it signs, then `retired`.
        removable_at: When the record of a retired key can be removed.
    """

    selector: str
    name: str
    algorithm: DkimAlgorithm
    state: KeyState
    created_at: Micros
    active_at: Micros | None
    retired_at: Micros | None
    removable_at: Micros | None


@dataclass(frozen=True, slots=True)
class DomainView:
    """A domain with the records of its last check.

    Attributes:
        receiving_records: Those that verify the domain. Without the result of a check, the records to publish.
        sending_records: Those that authenticate its mail; () if sending is off.
        proof: Which records are required for verification.
        zone_file: The records to publish, as lines of a zone file.
        keys: The DKIM keys, oldest first.
        smarthost: The URL of a smarthost of its own, with a masked user; None without one.
        has_smarthost: Whether the domain or the installation has a smarthost.
    """

    domain: Domain
    alias_count: int
    receiving_records: tuple[RecordReport, ...]
    sending_records: tuple[RecordReport, ...]
    proof: VerificationMode
    zone_file: str
    keys: tuple[SigningKeyView, ...]
    smarthost: str | None
    has_smarthost: bool

    @property
    def records(self) -> tuple[RecordReport, ...]:
        return (*self.receiving_records, *self.sending_records)


class DomainViews:
    """Builds the views of domains."""

    def __init__(self, checks: DomainCheckService, mx_hosts: Sequence[tuple[str, int]]) -> None:
        self._checks = checks
        self._mx_hosts = tuple(mx_hosts)

    async def build(self, executor: QueryExecutor, domain: Domain) -> DomainView:
        expected = expected_records(domain, self._mx_hosts)
        sending = self._checks.sending
        keys = await sending.fetch_keys(executor, domain)
        sending_records = sending.reports(domain, keys)
        return DomainView(
            domain,
            await count_aliases(executor, domain),
            load_records(domain.records) or expected,
            sending_records,
            await self._checks.verification_mode(executor, domain),
            format_zone_file([*expected, *sending_records]),
            tuple(_view_key(domain, key) for key in keys),
            sealed_smarthost.mask(parse(domain.smarthost_hint)) if domain.smarthost_hint else None,
            sending.find_url(domain) is not None,
        )


async def count_aliases(executor: QueryExecutor, domain: Domain) -> int:
    row = await executor.fetch_one("domain_alias_count", id=domain.id)
    return row["aliases"] if row else 0


def _view_key(domain: Domain, key: DomainKey) -> SigningKeyView:
    state: KeyState = "waiting" if sending_state.is_waiting(key) else "active"
    return SigningKeyView(
        key.selector,
        record_name(domain.name, key.selector),
        key.algorithm,
        "retired" if key.retired_at is not None else state,
        key.created_at,
        key.active_at,
        key.retired_at,
        sending_state.removable_at(key),
    )
