"""Checks the DMARC record of a domain (RFC 9989), and proposes one that is never weaker than what is there. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from router.checks.dmarc import organizational_domain
from router.checks.dmarc_record import VERSION, DmarcPolicy, DmarcRecord, select_record
from router.checks.questions import FAULT_REASONS
from router.dns.answers import DnsAnswer
from router.dns.records import RecordCheck

_POLICY = re.compile(r"\bp\s*=\s*(none|quarantine|reject)\b", re.IGNORECASE)
_NONE = re.compile(r"(\bp[ \t]*=[ \t]*)none\b", re.IGNORECASE)
_STRENGTH: tuple[DmarcPolicy, ...] = ("none", "quarantine", "reject")
_UNKNOWN = DnsAnswer("failed", fault="timeout")


@dataclass(frozen=True, slots=True)
class DmarcCheck:
    """The status of the DMARC record, the record to publish, and the TXT records that were found."""

    check: RecordCheck
    expected: tuple[str, ...]
    found: tuple[str, ...] = ()


def record_name(domain: str) -> str:
    return f"_dmarc.{domain}"


def propose(domain: str, policy: DmarcPolicy = "none") -> str:
    return f"v=DMARC1; p={policy}; rua=mailto:dmarc-reports@{domain}"


def check_dmarc(domain: str, answers: Mapping[str, DnsAnswer]) -> DmarcCheck:
    """Checks that a valid record applies to the domain.

    Args:
        answers: The TXT records of `router.checks.dmarc.tree_walk_names(domain)`.
    """
    name = record_name(domain)
    own = answers.get(name, _UNKNOWN)
    if own.status == "failed":
        reason = f"Cannot read the DMARC record of {domain}: {FAULT_REASONS[own.fault or 'timeout']}. Try again later."
        return DmarcCheck(RecordCheck("error", reason), (propose(domain),))
    records = [value for value in own.values if VERSION.match(value)]
    related = tuple(value for value in own.values if "dmarc" in value.lower() or _POLICY.search(value))
    if len(records) > 1:
        return _wrong(
            domain, related, f"{name} has {len(records)} DMARC records, so that receivers ignore all of them. Keep one:"
        )
    record = select_record(records)
    if record is not None and record.is_valid:
        return DmarcCheck(RecordCheck("ok", _advise(records[0], record)), (records[0],), related)
    if related:
        return _wrong(domain, related, _describe_invalid(name, related[0]))
    return _check_parent(domain, answers)


def _check_parent(domain: str, answers: Mapping[str, DnsAnswer]) -> DmarcCheck:
    """Without a record of its own, that of the organizational domain applies (RFC 9989 section 4.10.1)."""
    organization = organizational_domain(domain, answers)
    answer = answers.get(record_name(organization), _UNKNOWN) if organization else _UNKNOWN
    record = select_record(answer.values)
    if organization != domain and record is not None and record.is_valid:
        found = next(value for value in answer.values if VERSION.match(value))
        return DmarcCheck(RecordCheck("ok"), (), (f"{record_name(organization)}: {found}",))
    if any(each.status == "failed" for each in answers.values()):
        fix = f"Cannot read the DMARC records above {domain}. Try again later."
        return DmarcCheck(RecordCheck("error", fix), (propose(domain),))
    proposed = propose(domain)
    return DmarcCheck(
        RecordCheck(
            "missing",
            f"{domain} has no DMARC record. Without one, some receivers reject its mail or show a warning. Add a TXT "
            f"record at {record_name(domain)} with the value {proposed}. Reports about your mail go to the address in "
            "rua=: write one that you read, or leave rua= out.",
        ),
        (proposed,),
    )


def _wrong(domain: str, found: tuple[str, ...], problem: str) -> DmarcCheck:
    policies = [match[1].lower() for value in found for match in _POLICY.finditer(value)]
    strongest: DmarcPolicy = max(
        (policy for policy in _STRENGTH if policy in policies), key=_STRENGTH.index, default="none"
    )
    proposed = propose(domain, strongest)
    return DmarcCheck(RecordCheck("wrong", f"{problem} {proposed}."), (proposed,), found)


def _describe_invalid(name: str, value: str) -> str:
    if "\\" in value:
        return f"The DMARC record of {name} contains backslashes. Remove them, so that it is like"
    if re.search("[\"'\u201c\u201d]", value):
        return f"The DMARC record of {name} contains quotation marks. Remove them, so that it is like"
    if not VERSION.match(value):
        return f"The DMARC record of {name} does not begin with v=DMARC1; (with a semicolon). Replace it with"
    return f"The DMARC record of {name} has no valid p=: none, quarantine and reject are allowed. Replace it with"


def _advise(text: str, record: DmarcRecord) -> str:
    if record.policy != "none" or not _NONE.search(text):
        return ""
    stronger = _NONE.sub(r"\g<1>quarantine", text, count=1)
    return f"Optional: p=none only collects reports. When they show that your mail passes, make the record {stronger}."
