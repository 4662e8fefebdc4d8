"""Verifies a domain by its DNS records, and reports the expected and found records and how to fix them.

`check_domain` never raises for DNS failures. A failed query never counts as a missing record. Nothing is stored.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Literal, TypeVar

from router.dns.receivers import TXT_LABEL, normalize_host
from router.dns.records import (
    RecordCheck,
    RecordStatus,
    check_mx,
    check_txt,
    check_upstream_mx,
    format_mx_records,
    propagation_hint,
    split_text,
    txt_name,
    txt_value,
)
from router.dns.resolver import DnsFailure, DnsRecords, MxRecord, NoDnsRecord, RecordResolver
from router.model import Domain, Micros

_V = TypeVar("_V")
VerificationMode = Literal["mx", "txt", "mx+txt"]
RecordPurpose = Literal["mx", "verification", "dkim", "spf", "dmarc"]
_MAX_SHOWN_VALUES = 10
_MAX_VALUE_LENGTH = 200  # characters of a shown value
_MAX_FIX_LENGTH = 3000  # characters; more than an explanation with the longest names
_MAX_GUESSES = 3  # names to check for a misplaced record, besides the domain itself
_MAX_ALTERNATES = 3  # alternate name servers to query


@dataclass(frozen=True, slots=True)
class RecordReport:
    """An item of `records` in `GET /api/domains/{id}`; `checked_at` is None before the first check."""

    purpose: RecordPurpose
    type: Literal["MX", "TXT"]
    name: str
    expected: tuple[str, ...]
    found: tuple[str, ...]
    status: RecordStatus
    checked_at: Micros | None
    fix: str

    @property
    def strings(self) -> list[str]:
        """The only expected value of a TXT record, in strings of at most 255 bytes (RFC 1035 section 3.3)."""
        if self.type != "TXT" or len(self.expected) != 1:
            return []
        return [string.decode("utf-8", "replace") for string in split_text(self.expected[0])]


@dataclass(frozen=True, slots=True)
class VerificationResult:
    """The result of a check. For a domain with an upstream relay, only the TXT record counts.

    Attributes:
        has_correct_record: At least one record is correct, which keeps a verified domain verified.
        is_definitely_missing: The main resolver's queries for the records that count succeeded, but neither it nor an
            alternate found a correct record.
        txt_values: The TXT values that the main resolver found at the verification name.
    """

    records: tuple[RecordReport, ...]
    is_verified: bool
    has_correct_record: bool = field(default=False, compare=False)
    is_definitely_missing: bool = field(default=False, compare=False)
    txt_values: tuple[str, ...] = field(default=(), compare=False)

    @property
    def has_correct_txt(self) -> bool:
        return any(record.type == "TXT" and record.status == "ok" for record in self.records)


def automatic_mode(workspaces: int) -> VerificationMode:
    """Returns the records that verify a domain. With several workspaces, MX records do not show the owner."""
    return "mx" if workspaces <= 1 else "mx+txt"


def expected_records(domain: Domain, mx_hosts: Sequence[tuple[str, int]]) -> tuple[RecordReport, ...]:
    """Returns the reports to show before the first check, with the record values to add."""
    return _build_reports(domain, mx_hosts, NoDnsRecord(), NoDnsRecord(), now=None)


async def check_domain(
    domain: Domain,
    mx_hosts: Sequence[tuple[str, int]],
    mode: VerificationMode,
    *,
    resolver: RecordResolver,
    now: Micros,
) -> VerificationResult:
    """Queries and checks the records of a domain.

    Args:
        mx_hosts: (host, priority) pairs of `[server] mx_hosts`.
        mode: The records that must be correct for the domain to be verified. For a domain whose MX records belong to
            another relay, always the TXT record.
        resolver: Its `alternates` are queried as well if it does not verify the domain.
    """
    required: VerificationMode = "txt" if domain.mx_managed == "upstream" else mode

    def check_with(alternate: RecordResolver) -> Awaitable[VerificationResult]:
        return _check_records(domain, mx_hosts, required, alternate, now)

    result = await check_with(resolver)
    if result.is_verified or not resolver.alternates:
        return result
    return _merge_alternates(
        result, await asyncio.gather(*(check_with(alternate) for alternate in resolver.alternates[:_MAX_ALTERNATES]))
    )


async def _check_records(
    domain: Domain, mx_hosts: Sequence[tuple[str, int]], mode: VerificationMode, resolver: RecordResolver, now: Micros
) -> VerificationResult:
    mx, txt = await asyncio.gather(resolver.query_mx(domain.name), resolver.query_txt(txt_name(domain.name)))
    misplaced_mx, misplaced_txt = await asyncio.gather(
        _find_misplaced_mx(domain.name, mx, mx_hosts, resolver),
        _find_misplaced_txt(domain.name, txt, domain.token, resolver),
    )
    records = _build_reports(domain, mx_hosts, mx, txt, misplaced_mx=misplaced_mx, misplaced_txt=misplaced_txt, now=now)
    required = [record for record in records if record.type.lower() in mode.split("+")]
    verifying = [record for record in records if record.type == "TXT" or domain.mx_managed != "upstream"]
    return VerificationResult(
        records=records,
        is_verified=all(record.status == "ok" for record in required),
        has_correct_record=any(record.status == "ok" for record in verifying),
        is_definitely_missing=all(record.status in ("missing", "wrong") for record in verifying),
        txt_values=_values(txt),
    )


def _build_reports(
    domain: Domain,
    mx_hosts: Sequence[tuple[str, int]],
    mx: DnsRecords[MxRecord] | NoDnsRecord | DnsFailure,
    txt: DnsRecords[str] | NoDnsRecord | DnsFailure,
    *,
    misplaced_mx: Sequence[str] = (),
    misplaced_txt: Sequence[str] = (),
    now: Micros | None,
) -> tuple[RecordReport, ...]:
    name, upstream = domain.name, domain.mx_managed == "upstream"
    expected_mx = () if upstream else format_mx_records(mx_hosts)
    mx_check = check_upstream_mx(name, mx) if upstream else check_mx(name, mx, mx_hosts, misplaced_mx)
    txt_check = check_txt(name, txt, domain.token, misplaced_txt)
    found_mx = tuple(f"{record.preference} {record.host or '.'}" for record in _values(mx))
    return (
        build_report("mx", name, expected_mx, found_mx, mx_check, now=now),
        build_report("verification", txt_name(name), (txt_value(domain.token),), _values(txt), txt_check, now=now),
    )


def _merge_alternates(result: VerificationResult, others: Sequence[VerificationResult]) -> VerificationResult:
    """Returns `result` updated with the results of alternate name servers.

    A record that is correct only on an alternate is propagating: the domain's records are not definitely missing.
    """
    records = []
    for index, record in enumerate(result.records):
        is_correct_elsewhere = any(other.records[index].status == "ok" for other in others)
        is_propagating = is_correct_elsewhere and record.status in ("missing", "wrong")
        records.append(replace(record, fix=propagation_hint(record.name, record.type)) if is_propagating else record)
    is_missing = result.is_definitely_missing and not any(other.has_correct_record for other in others)
    return replace(result, records=tuple(records), is_definitely_missing=is_missing)


def dump_records(records: Sequence[RecordReport]) -> str:
    """Serialises records for the column `domains.records`."""
    return json.dumps([asdict(record) for record in records], ensure_ascii=False)


def load_records(text: str) -> tuple[RecordReport, ...]:
    """Deserialises records; returns () for an empty column or an unknown format."""
    try:
        rows = json.loads(text or "[]")
        return tuple(
            RecordReport(
                **({"purpose": "mx" if row["type"] == "MX" else "verification"} | row)  # older rows have no purpose
                | {"expected": tuple(row["expected"]), "found": tuple(row["found"])}
            )
            for row in rows
        )
    except (ValueError, TypeError, KeyError):
        return ()


def build_report(
    purpose: RecordPurpose,
    name: str,
    expected: tuple[str, ...],
    found: Sequence[str],
    check: RecordCheck,
    *,
    now: Micros | None,
    max_length: int = _MAX_VALUE_LENGTH,
) -> RecordReport:
    """Returns a report with at most 10 printable values, of `max_length` characters each."""
    shown = tuple(_to_printable(value, max_length) for value in found[:_MAX_SHOWN_VALUES])
    fix = _to_printable(check.fix, _MAX_FIX_LENGTH)
    return RecordReport(purpose, "MX" if purpose == "mx" else "TXT", name, expected, shown, check.status, now, fix)


def _to_printable(text: str, limit: int = _MAX_VALUE_LENGTH) -> str:
    return "".join(character if character.isprintable() else "\ufffd" for character in text)[:limit]


def _values(answer: DnsRecords[_V] | NoDnsRecord | DnsFailure) -> tuple[_V, ...]:
    return answer.values if isinstance(answer, DnsRecords) else ()


async def _find_misplaced_mx(
    domain: str,
    answer: DnsRecords[MxRecord] | NoDnsRecord | DnsFailure,
    hosts: Sequence[tuple[str, int]],
    resolver: RecordResolver,
) -> list[str]:
    """Returns names that have an MX record of this installation because the DNS provider appended the zone name."""
    if not isinstance(answer, NoDnsRecord) or answer.alias:
        return []
    own_hosts = {normalize_host(host) for host, _ in hosts}
    names = [f"{domain}.{zone}" for zone in candidate_zones(domain)][:_MAX_GUESSES]
    answers = await asyncio.gather(*(resolver.query_mx(name) for name in names))
    return [
        name
        for name, answer in zip(names, answers, strict=True)
        if any(record.host in own_hosts for record in _values(answer))
    ]


async def _find_misplaced_txt(
    domain: str, answer: DnsRecords[str] | NoDnsRecord | DnsFailure, token: str, resolver: RecordResolver
) -> list[str]:
    """Returns other names that have the expected TXT value, such as names with an appended zone name."""
    expected = txt_value(token)
    if isinstance(answer, DnsFailure) or expected in _values(answer):
        return []
    zones = candidate_zones(domain)
    names = [domain, *(f"{txt_name(domain)}.{zone}" for zone in zones), *(f"{TXT_LABEL}.{z}" for z in zones[1:])]
    names = names[: _MAX_GUESSES + 1]
    answers = await asyncio.gather(*(resolver.query_txt(name) for name in names))
    return [name for name, answer in zip(names, answers, strict=True) if expected in _values(answer)]


def candidate_zones(domain: str) -> list[str]:
    """Returns the zone names that a DNS provider may append to the name of a record."""
    labels = domain.split(".")
    return [".".join(labels[start:]) for start in range(max(len(labels) - 1, 1))]
