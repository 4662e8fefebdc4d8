"""DMARC (RFC 9989): whether a domain that passes SPF or DKIM is aligned with the domain in From, and what the owner of
the domain asks for otherwise.

Organizational domains are found by the DNS tree walk, without a list of public suffixes. Pure: all answers are fetched
before, see `router.checks.dmarc_answers`. An unknown answer never leads to `fail`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from router.checks.dmarc_record import DmarcPolicy, DmarcRecord, select_record
from router.checks.questions import FAULT_REASONS
from router.dns.answers import DnsAnswer
from router.mail.address import AddressError, domain_key
from router.mail.auth_results import AuthResult, AuthWord

# RFC 9989 section 4.10: a longer name is first cut to this number of labels, so that a walk has at most 8 questions.
_WALK_LABELS = 7
_MAX_NAME_LENGTH = 253
_PREFIX = "_dmarc."
NO_DOMAIN = AuthResult("dmarc", "none", reason="From contains no domain")
_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")


@dataclass(frozen=True, slots=True)
class DmarcVerdict:
    """The result of DMARC.

    Attributes:
        policy: What the owner of the domain asks for if the result is `fail`. `""` without a valid record, and if it
            is unknown.
        organizational_domain: Of the domain in From. `""` if it is unknown.
        aligned: Whether SPF or DKIM passes for a domain that is aligned with the domain in From. Without a record, this
            domain, one above or one below it counts as aligned. False if it is unknown.
    """

    result: AuthResult
    policy: DmarcPolicy | Literal[""] = ""
    organizational_domain: str = ""
    aligned: bool = False


class _UnknownAnswerError(Exception):
    """A necessary answer is missing. The text is for users."""


def author_domain(from_domains: Sequence[str]) -> tuple[str, AuthResult | None]:
    """Returns the domain in From in lower-case A-labels, or `""` and the result of DMARC without such a domain."""
    texts = {text for text in from_domains if text and not text.startswith("[")}
    names = {_normalize(text) for text in texts}
    if len(names) > 1:
        return "", AuthResult("dmarc", "permerror", reason="From contains several domains")
    if not names:
        return "", NO_DOMAIN
    (name,) = names
    return name, None if name else AuthResult("dmarc", "permerror", reason="the domain in From is not valid")


def tree_walk_names(domain: str) -> tuple[str, ...]:
    """Returns the names whose TXT records a tree walk needs, in order: at most 8, none for an invalid domain."""
    return tuple(_PREFIX + target for target in _targets(_normalize(domain)))


def organizational_domain(domain: str, answers: Mapping[str, DnsAnswer]) -> str:
    """Returns the organizational domain of a domain in A-labels; `""` if an answer is missing.

    Args:
        answers: The TXT records of `tree_walk_names(domain)`.
    """
    try:
        return _organizational_domain(domain, _walk(domain, answers))
    except _UnknownAnswerError:
        return ""


def alignment_domains(
    from_domains: Sequence[str], answers: Mapping[str, DnsAnswer], spf: AuthResult, dkim: Sequence[AuthResult]
) -> tuple[str, ...]:
    """Returns the domains whose tree walks `evaluate` needs beside that of From.

    Args:
        answers: The TXT records of `tree_walk_names` of the domain in From.
    """
    domain, _ = author_domain(from_domains)
    try:
        records = _walk(domain, answers)
    except _UnknownAnswerError:
        return ()
    if not records:
        return ()
    organization = _organizational_domain(domain, records)
    names = {_normalize(result.domain) for result in (spf, *dkim) if result.result == "pass"}
    return tuple(sorted(name for name in names if name != domain and _is_within(name, organization)))


def evaluate(
    from_domains: Sequence[str],
    answers: Mapping[str, DnsAnswer],
    spf: AuthResult,
    dkim: Sequence[AuthResult],
    *,
    from_exists: DnsAnswer | None,
) -> DmarcVerdict:
    """Evaluates DMARC for one message.

    Args:
        from_domains: The domains of all addresses in From; U-labels or A-labels.
        answers: The TXT records of the tree walks of the domain in From and of `alignment_domains`.
        spf: The result for MAIL FROM, or for HELO if the reverse-path is null.
        from_exists: Any answer about the domain in From itself; None if it is known to exist.
    """
    domain, error = author_domain(from_domains)
    if error is not None:
        return DmarcVerdict(error)
    organization = organizational_domain(domain, answers)
    try:
        record, policy = _find_policy(domain, answers, from_exists)
    except _UnknownAnswerError as unknown:
        is_same = any(_normalize(r.domain) == domain for r in (spf, *dkim) if r.result == "pass")
        return DmarcVerdict(_result("temperror", domain, str(unknown)), "", organization, is_same)
    if record is None:
        aligned = any(
            _is_within(name, domain) or _is_within(domain, name)
            for name in (_normalize(r.domain) for r in (spf, *dkim) if r.result == "pass")
            if name
        )
        return DmarcVerdict(_result("none", domain, "no DMARC record"), "", organization, aligned)
    alignment = _Alignment(domain, organization, answers)
    states = [alignment.check(spf, strict=record.strict_spf)]
    states += [alignment.check(result, strict=record.strict_dkim) for result in dkim]
    if True in states:
        result = _result("pass", domain)
    elif None in states:
        result = _result("temperror", domain, "SPF, DKIM or DNS gave no final result")
    else:
        result = _result("fail", domain, f"neither SPF nor DKIM passes for this domain, whose policy is {policy}")
    return DmarcVerdict(result, policy, organization, True in states)


@dataclass(frozen=True, slots=True)
class _Alignment:
    """The alignment of authenticated domains with the domain in From (RFC 9989 section 4.10.2)."""

    domain: str
    organization: str
    answers: Mapping[str, DnsAnswer]

    def check(self, result: AuthResult, *, strict: bool) -> bool | None:
        """Returns whether the result is a pass for an aligned domain; None if it could become one."""
        if result.result not in {"pass", "temperror"}:
            return False
        name = _normalize(result.domain)
        if result.result == "temperror":
            return None if not name or self._could_align(name, strict=strict) else False
        if name == self.domain:
            return True
        if not self._could_align(name, strict=strict):
            return False
        organization = organizational_domain(name, self.answers)
        return organization == self.organization if organization and self.organization else None

    def _could_align(self, name: str, *, strict: bool) -> bool:
        """Returns whether the name is below the same organizational domain, whether or not it has its own."""
        if strict or not name:
            return name == self.domain
        suffix = self.organization or self.domain.rpartition(".")[2]
        return _is_within(name, suffix)


def _find_policy(
    domain: str, answers: Mapping[str, DnsAnswer], from_exists: DnsAnswer | None
) -> tuple[DmarcRecord | None, DmarcPolicy | Literal[""]]:
    """Returns the record that applies to the domain, and its policy (RFC 9989 section 4.10.1).

    A record that is not valid does not apply.
    """
    own = _fetch_record(domain, answers)
    if own is not None and own.is_valid:
        return own, own.policy
    records = _walk(domain, answers)
    # The last record is that of the public suffix if there is one.
    found = [dict(records).get(_organizational_domain(domain, records)), records[-1][1] if records else None]
    record = next((each for each in found if each is not None and each.is_valid), None)
    if record is None:
        return None, ""
    if record.subdomain_policy == record.nonexistent_policy or from_exists is None:
        return record, record.subdomain_policy
    if from_exists.status == "failed":
        raise _UnknownAnswerError(FAULT_REASONS[from_exists.fault])
    return record, record.nonexistent_policy if from_exists.status == "no_domain" else record.subdomain_policy


def _walk(domain: str, answers: Mapping[str, DnsAnswer]) -> list[tuple[str, DmarcRecord]]:
    """Returns the records that the tree walk finds and their domains, longest first (RFC 9989 section 4.10)."""
    records = []
    for target in _targets(domain):
        record = _fetch_record(target, answers)
        if record is not None:
            records.append((target, record))
            if record.psd != "u":
                break
    return records


def _fetch_record(target: str, answers: Mapping[str, DnsAnswer]) -> DmarcRecord | None:
    if len(_PREFIX + target) > _MAX_NAME_LENGTH:
        return None  # such a name cannot exist
    answer = answers.get(_PREFIX + target)
    if answer is None or answer.status == "failed":
        raise _UnknownAnswerError(FAULT_REASONS[answer.fault] if answer else "no DNS response")
    return select_record(answer.values)


def _organizational_domain(domain: str, records: Sequence[tuple[str, DmarcRecord]]) -> str:
    if not records:
        return domain
    target, record = records[-1]
    if record.psd == "y" and target != domain:
        return ".".join(domain.split(".")[-target.count(".") - 2 :])
    return target


def _targets(domain: str) -> Iterator[str]:
    if not domain:
        return
    labels = domain.split(".")
    first = max(1, len(labels) - _WALK_LABELS)
    for target in (domain, *(".".join(labels[n:]) for n in range(first, len(labels)))):
        if len(_PREFIX + target) <= _MAX_NAME_LENGTH:
            yield target


def _normalize(domain: str) -> str:
    """Returns the domain in lower-case A-labels; `""` if it cannot be a domain name."""
    if len(domain) > _MAX_NAME_LENGTH + 1:
        return ""
    try:
        name = domain_key(domain)
    except AddressError:
        return ""
    return name if len(name) <= _MAX_NAME_LENGTH and _NAME.fullmatch(name) else ""


def _is_within(name: str, domain: str) -> bool:
    return name == domain or name.endswith("." + domain)


def _result(word: AuthWord, domain: str, reason: str = "") -> AuthResult:
    return AuthResult("dmarc", word, domain, reason=reason)
