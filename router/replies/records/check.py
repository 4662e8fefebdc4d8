"""Queries and checks the records that authenticate the mail of a domain. Never raises for DNS failures."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field

from config.smarthost_url import SmarthostUrl
from router.checks.dmarc_answers import fetch_answers
from router.dns.answers import DnsAnswer, Lookup
from router.dns.receivers import is_public_name
from router.dns.records import RecordCheck, propagation_hint
from router.dns.verification import RecordPurpose, RecordReport, build_report, candidate_zones
from router.mail.dkim.private_key import record_name
from router.model import Domain, DomainKey, Micros
from router.outbound.addresses import is_public
from router.replies.records import dkim_check, dmarc_check, spf_check
from router.replies.records.dmarc_check import DmarcCheck
from router.replies.records.providers import guess_terms
from router.replies.records.spf_check import SpfCheck

MAX_VALUE_LENGTH = 1000  # characters of a shown value: more than the record of a key of 4096 bits
_MAX_GUESSES = 4  # names to check for a misplaced record
_MAX_ALTERNATES = 3


@dataclass(frozen=True, slots=True)
class SmarthostTerms:
    """The SPF terms of a smarthost. `required` is () if they are unknown; `suggested` then are a guess."""

    required: tuple[str, ...] = ()
    suggested: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SendingCheck:
    """The result of a check of the sending records.

    Attributes:
        shown: The selectors whose record is correct.
        missing: The selectors whose record is definitely not correct: DNS answered, and no alternate server has it.
        gone: The selectors of retired keys without any record.
    """

    records: tuple[RecordReport, ...]
    shown: frozenset[str] = field(default_factory=frozenset)
    missing: frozenset[str] = field(default_factory=frozenset)
    gone: frozenset[str] = field(default_factory=frozenset)


def smarthost_terms(domain: Domain, url: SmarthostUrl | None, hint: str) -> SmarthostTerms:
    """Returns the terms of the smarthost of a domain.

    Args:
        hint: `[outgoing] spf_hint`, "" for a smarthost of the domain, about which it says nothing.
    """
    if hint:
        return SmarthostTerms(tuple(hint.split()))
    if url is None:
        return SmarthostTerms()
    if known := guess_terms(url.host):
        return SmarthostTerms(known)
    address = _parse_address(url.host)
    if address is None and is_public_name(url.host):
        return SmarthostTerms((), (f"a:{url.host}",))
    if address is not None and is_public(url.host):
        return SmarthostTerms((), (f"ip{address.version}:{address}",))
    # A server of this network, which the MX records of the domain name unless another relay receives its mail.
    return SmarthostTerms((), () if domain.mx_managed_upstream else ("mx",))


async def check_records(
    domain: Domain,
    keys: Sequence[DomainKey],
    terms: SmarthostTerms,
    *,
    lookup: Lookup,
    alternates: Sequence[Lookup],
    now: Micros,
) -> SendingCheck:
    """Checks the DKIM records of the keys that are not retired, and the SPF and DMARC records of the domain.

    `alternates` has a lookup for each name server except the first.
    """
    current = [key for key in keys if key.retired_at is None]
    retired = [key for key in keys if key.retired_at is not None]
    checked, gone, facts, answers = await asyncio.gather(
        asyncio.gather(*(_check_key(domain.name, key, lookup, alternates, now) for key in current)),
        asyncio.gather(*(_is_gone(domain.name, key, lookup) for key in retired)),
        spf_check.fetch_facts(lookup, domain.name),
        fetch_answers(lookup, [domain.name]),
    )
    spf = spf_check.check_facts(domain.name, facts, terms.required, terms.suggested)
    dmarc = dmarc_check.check_dmarc(domain.name, answers)
    return SendingCheck(
        (
            *(report for report, _ in checked),
            _report("spf", domain.name, spf, facts.records, now),
            _report("dmarc", dmarc_check.record_name(domain.name), dmarc, dmarc.found, now),
        ),
        shown=frozenset(
            key.selector for key, (report, _) in zip(current, checked, strict=True) if report.status == "ok"
        ),
        missing=frozenset(key.selector for key, (_, is_missing) in zip(current, checked, strict=True) if is_missing),
        gone=frozenset(key.selector for key, is_gone in zip(retired, gone, strict=True) if is_gone),
    )


def expected_reports(domain: Domain, keys: Sequence[DomainKey], terms: SmarthostTerms) -> tuple[RecordReport, ...]:
    """Returns the reports to show before the first check."""
    spf = spf_check.check_facts(
        domain.name, spf_check.SpfFacts("none", "", (), frozenset()), terms.required, terms.suggested
    )
    dmarc = dmarc_check.DmarcCheck(RecordCheck("missing"), (dmarc_check.propose(domain.name),))
    return (
        *(_dkim_report(domain.name, key, (), RecordCheck("missing"), None) for key in keys if key.retired_at is None),
        _report("spf", domain.name, spf, (), None),
        _report("dmarc", dmarc_check.record_name(domain.name), dmarc, (), None),
    )


async def _check_key(
    domain: str, key: DomainKey, lookup: Lookup, alternates: Sequence[Lookup], now: Micros
) -> tuple[RecordReport, bool]:
    """Returns the report, and whether the record is definitely not correct."""
    name = record_name(domain, key.selector)
    answer = await lookup(name, "TXT")
    values = _decode(answer)
    if answer.status == "failed":
        check = RecordCheck("error", f"Cannot read the TXT records of {name}: DNS did not answer. Try again later.")
        return _dkim_report(domain, key, values, check, now), False
    check = dkim_check.check_dkim(domain, key, values)
    if check.status == "ok":
        return _dkim_report(domain, key, values, check, now), False
    if check.status == "missing":
        misplaced = await _find_misplaced(domain, key, lookup)
        check = dkim_check.check_dkim(domain, key, values, misplaced)
    others = await asyncio.gather(*(alternate(name, "TXT") for alternate in alternates[:_MAX_ALTERNATES]))
    if any(dkim_check.check_dkim(domain, key, _decode(other)).status == "ok" for other in others):
        check = RecordCheck(check.status, propagation_hint(name, "TXT"))
        return _dkim_report(domain, key, values, check, now), False
    return _dkim_report(domain, key, values, check, now), True


async def _find_misplaced(domain: str, key: DomainKey, lookup: Lookup) -> list[str]:
    """Returns other names that have the record, such as names with an appended zone name."""
    name = record_name(domain, key.selector)
    names = [domain, f"{key.selector}.{domain}", *(f"{name}.{zone}" for zone in candidate_zones(domain))]
    names = names[:_MAX_GUESSES]
    answers = await asyncio.gather(*(lookup(other, "TXT") for other in names))
    expected = dkim_check.expected_value(key)
    return [other for other, answer in zip(names, answers, strict=True) if expected in _decode(answer)]


async def _is_gone(domain: str, key: DomainKey, lookup: Lookup) -> bool:
    answer = await lookup(record_name(domain, key.selector), "TXT")
    return answer.status in ("no_data", "no_domain")


def _dkim_report(
    domain: str, key: DomainKey, values: Sequence[str], check: RecordCheck, now: Micros | None
) -> RecordReport:
    name, expected = record_name(domain, key.selector), dkim_check.expected_value(key)
    return build_report("dkim", name, (expected,), values, check, now=now, max_length=MAX_VALUE_LENGTH)


def _report(
    purpose: RecordPurpose, name: str, result: SpfCheck | DmarcCheck, values: Sequence[str], now: Micros | None
) -> RecordReport:
    return build_report(purpose, name, result.expected, values, result.check, now=now, max_length=MAX_VALUE_LENGTH)


def _decode(answer: DnsAnswer) -> tuple[str, ...]:
    """Returns TXT values as text: a `DnsAnswer` has them as Latin-1."""
    return tuple(value.encode("latin-1").decode("utf-8", "replace") for value in answer.values)


def _parse_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
