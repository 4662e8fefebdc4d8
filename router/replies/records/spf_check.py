"""Checks the SPF record of a domain (RFC 7208), and proposes one that also allows the smarthost."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from router.checks.spf import MANY_VOID_LOOKUPS, SPF_RECORD, check_spf
from router.dns.answers import DnsAnswer, Lookup, RecordType
from router.dns.records import RecordCheck
from router.mail.auth_results import AuthWord

# An address that no host has (RFC 1112 section 4). An evaluation for it asks about all terms, and `pass` means that the
# record allows every host.
_NO_HOST = "240.0.0.1"
_PREFIX = "v=spf1"


@dataclass(frozen=True, slots=True)
class SpfFacts:
    """What the SPF record of a domain says.

    Attributes:
        result, reason: The result for an address that no host has.
        records: The SPF records of the domain.
        terms: The terms of these records and of all records that they include, in lower case, without `+`.
    """

    result: AuthWord
    reason: str
    records: tuple[str, ...]
    terms: frozenset[str]


@dataclass(frozen=True, slots=True)
class SpfCheck:
    """The status of the SPF record, and the record to publish: () if there is nothing to propose."""

    check: RecordCheck
    expected: tuple[str, ...]


async def fetch_facts(lookup: Lookup, domain: str) -> SpfFacts:
    """Evaluates the SPF record of a domain with all records that it includes."""
    own: list[str] = []
    terms: set[str] = set()

    async def recording_lookup(name: str, record_type: RecordType) -> DnsAnswer:
        answer = await lookup(name, record_type)
        if record_type == "TXT":
            records = [value for value in answer.values if SPF_RECORD.match(value)]
            if name.lower().rstrip(".") == domain:
                own[:] = records
            terms.update(term for record in records for term in _read_terms(record))
        return answer

    result = await check_spf(recording_lookup, peer=_NO_HOST, helo=domain, reverse_path=f"postmaster@{domain}")
    return SpfFacts(result.result, result.reason, tuple(own), frozenset(terms))


def check_facts(domain: str, facts: SpfFacts, required: Sequence[str], suggested: Sequence[str]) -> SpfCheck:
    """Checks that the domain has one valid SPF record with the terms of the smarthost.

    Args:
        required: The terms of the smarthost; () if they are unknown.
        suggested: Terms for a new record if `required` is empty. They may be wrong, so no record must have them.
    """
    if facts.result == "temperror":
        reason = f"Cannot read the SPF record of {domain}: {facts.reason}. Try again later."
        return SpfCheck(RecordCheck("error", reason), _propose(facts.records[:1], required))
    if not facts.records:
        new = _propose((), required or suggested)
        add = f"Add a TXT record with the value {new[0]}." if new else "Add one that allows your smarthost."
        return SpfCheck(RecordCheck("missing", f"{domain} has no SPF record. {add}"), new)
    proposed = _propose(facts.records, required)
    problem = _find_problem(domain, facts, required, proposed)
    return SpfCheck(RecordCheck("wrong", problem) if problem else RecordCheck("ok"), proposed)


def _find_problem(domain: str, facts: SpfFacts, required: Sequence[str], proposed: tuple[str, ...]) -> str:
    instead = f"Replace it with {proposed[0]}."
    if len(facts.records) > 1:
        return (
            f"{domain} has {len(facts.records)} SPF records, so that receivers ignore all of them. Replace them with "
            f"the single record {proposed[0]}."
        )
    if facts.result == "pass":
        return f"The SPF record of {domain} allows every server to send its mail (+all). {instead}"
    # The dummy address fails every `exists:` with a macro, which a real smarthost does not.
    has_macros = any("%{" in term for term in facts.terms)
    if facts.result == "permerror" and not (has_macros and facts.reason == MANY_VOID_LOOKUPS):
        return (
            f"The SPF record of {domain} is not valid, so that receivers ignore it: {facts.reason}. It allows "
            f"{', '.join(sorted(_read_terms(facts.records[0]))) or 'nothing'}. Remove the terms that are not needed."
        )
    missing = [term for term in required if not _is_allowed(term, facts.terms)]
    if missing:
        return f"The SPF record of {domain} does not allow your smarthost: {' '.join(missing)} is missing. {instead}"
    return ""


def _propose(records: Sequence[str], required: Sequence[str]) -> tuple[str, ...]:
    """Returns one record with the terms of all records and the required ones. `+all` becomes `~all`."""
    terms: list[str] = []
    endings: list[str] = []
    for term in (part for record in records for part in record.split()[1:]):
        is_ending = term.lower().lstrip("+-~?") == "all" or term.lower().startswith("redirect=")
        (endings if is_ending else terms).append(term)
    known = {_normalize(term) for term in (*terms, *endings)}
    terms += [term for term in required if not _is_allowed(term, known)]
    if not terms and not endings:
        return ()
    if not endings:
        endings = [] if records else ["~all"]
    safe = ["~all" if ending.lower() in ("all", "+all") else ending for ending in endings]
    return (" ".join([_PREFIX, *dict.fromkeys(terms), *safe[:1]]),)


def _read_terms(record: str) -> set[str]:
    """Returns the terms that allow hosts, and modifiers."""
    return {_normalize(term) for term in record.split()[1:] if term[:1] not in "-~?"}


def _normalize(term: str) -> str:
    return term.lower().removeprefix("+").rstrip(".")


def _is_allowed(term: str, terms: set[str] | frozenset[str]) -> bool:
    kind, _, value = term.partition(":")
    if term in terms or (kind == "include" and f"redirect={value}" in terms):
        return True
    if kind not in ("ip4", "ip6"):
        return False
    wanted = _parse_network(value)
    networks = (_parse_network(other.partition(":")[2]) for other in terms if other.startswith(f"{kind}:"))
    return wanted is not None and any(network is not None and _contains(network, wanted) for network in networks)


_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _parse_network(text: str) -> _Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _contains(network: _Network, other: _Network) -> bool:
    first, last = int(network.network_address), int(network.broadcast_address)
    is_within = first <= int(other.network_address) and int(other.broadcast_address) <= last
    return network.version == other.version and is_within
