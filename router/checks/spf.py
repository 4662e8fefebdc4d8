"""SPF (RFC 7208) of MAIL FROM, or of HELO if the reverse-path is null. Evaluated by spftrace.

`exp=` is never fetched: it is a stranger's text. The evaluation ends after `MAX_QUESTIONS` DNS questions at the latest
and never raises.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any, Final, cast

import structlog
from spftrace import BaseResolver, Evaluator, Limits, Result, SpfPermError

from router.checks.dns_cache import Question
from router.checks.iprev import parse_peer, reverse_question
from router.checks.questions import FAULT_REASONS
from router.dns.answers import AnswerFault, DnsAnswer, Lookup, RecordType
from router.dns.resolver import MAX_NAME_LENGTH, MAX_TXT_BYTES
from router.mail.address import MAX_MAILBOX_BYTES, AddressError, domain_key
from router.mail.auth_results import AuthResult, AuthWord

_log = structlog.get_logger()

# Distinct DNS questions of an evaluation. RFC 7208 section 4.6.4 allows 111, of which 100 are for the hosts of ten `mx`
# terms. One message may cause `router.checks.questions.MAX_QUESTIONS` in all its checks.
MAX_QUESTIONS = 20

_DOMAIN = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
SPF_RECORD = re.compile(r"v=spf1(?: |$)", re.IGNORECASE)
# spftrace takes a zone index (RFC 4007) for a part of the address and raises ValueError later.
_ZONE_INDEX = re.compile(r" [-+?~]?ip6:[^ ]*%", re.IGNORECASE)
MANY_VOID_LOOKUPS = "more than 2 DNS questions without an answer"
_TOO_LONG = f"SPF record of {MAX_TXT_BYTES} bytes or more"
# Our reasons for those of spftrace, which contain terms of the record. Compared in this order.
_REASONS: Final = (
    (_TOO_LONG, _TOO_LONG),
    ("DNS lookup limit", "more than 10 terms that need DNS"),
    ("void DNS lookup limit", MANY_VOID_LOOKUPS),
    ("mx: more than", "an mx term with more than 10 hosts"),
    ("multiple v=spf1", "more than one SPF record"),
    ("include:", "an included domain without an SPF record"),
    ("redirect=", "a redirect to a domain without an SPF record"),
)


async def check_spf(lookup: Lookup, *, peer: str, helo: str, reverse_path: str) -> AuthResult:
    """Evaluates the SPF record of the sender.

    Args:
        peer: The IP address of the SMTP client. An IPv4-mapped IPv6 address counts as IPv4.
        reverse_path: The address of MAIL FROM without angle brackets, "" for a null reverse-path.

    Returns:
        The result, with the evaluated domain in lower-case ASCII: "" if it is not a name of two or more labels.
    """
    domain = spf_domain(helo, reverse_path)
    if not domain:
        return AuthResult("spf", "none", reason=f"{'MAIL FROM' if reverse_path else 'HELO'} has no domain name")
    local_part = reverse_path.rpartition("@")[0][:MAX_MAILBOX_BYTES] or "postmaster"
    address = parse_peer(peer)
    resolver = _LookupResolver(lookup, address)
    evaluator = _EvaluatorWithoutExplanation(resolver, Limits(max_queries=None))
    try:
        result = await evaluator.evaluate(str(address), f"{local_part}@{domain}", helo[:MAX_NAME_LENGTH])
    except Exception:  # noqa: BLE001 - a defect of the evaluation must not stop a delivery
        _log.exception("checks.spf_failed", domain=domain)
        return AuthResult("spf", "temperror", domain, reason="internal error")
    return AuthResult("spf", cast(AuthWord, result.result), domain, reason=_reason(result, resolver))


def spf_domain(helo: str, reverse_path: str) -> str:
    """Returns the domain whose record is evaluated, or "" if it is not a name of two or more labels."""
    try:
        domain = domain_key(reverse_path.rpartition("@")[2] if reverse_path else helo)
    except AddressError:
        return ""
    return domain if len(domain) <= MAX_NAME_LENGTH and _DOMAIN.fullmatch(domain) else ""


def spf_questions(peer: str, helo: str, reverse_path: str) -> tuple[Question, ...]:
    """Returns the questions of SPF and iprev that are known before DATA, for `DnsCache.prefetch`."""
    domain = spf_domain(helo, reverse_path)
    return (reverse_question(peer), (domain, "TXT")) if domain else (reverse_question(peer),)


class _LookupResolver(BaseResolver):
    """Asks through a `Lookup`. `fault` is that of the last failed question.

    Of several addresses only the one that shares the longest prefix with the peer is returned: if it does not match,
    no other does. Otherwise hundreds of `%{p}` with ten names of 200 addresses would take seconds.
    """

    def __init__(self, lookup: Lookup, peer: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
        self._lookup_answer = lookup
        self._peer = int(peer)
        self._questions = 0
        self.fault: AnswerFault = ""

    async def _lookup(self, name: str, rtype: str) -> tuple[str, list[str]]:
        self._questions += 1
        answer = DnsAnswer("failed", fault="limit")
        if self._questions <= MAX_QUESTIONS:
            answer = await self._lookup_answer(name, cast(RecordType, rtype))
        match answer.status:
            case "failed":
                self.fault = answer.fault
                return "SERVFAIL", []
            case "no_domain":
                return "NXDOMAIN", []
        match rtype:
            case "TXT":
                _check_records(answer.values)
            case "MX":
                return "NOERROR", [value.partition(" ")[2] for value in answer.values]
            case "A" | "AAAA":
                return "NOERROR", sorted(answer.values, key=self._distance)[:1]
        return "NOERROR", list(answer.values)

    def _distance(self, address: str) -> int:
        return int(ipaddress.ip_address(address)) ^ self._peer


class _EvaluatorWithoutExplanation(Evaluator):
    async def _explanation(self, *_: Any) -> str | None:
        return None


def _check_records(values: tuple[str, ...]) -> None:
    """Raises SpfPermError for an SPF record that spftrace must not parse."""
    for value in values:
        if SPF_RECORD.match(value):
            if len(value) >= MAX_TXT_BYTES:  # it was cut
                raise SpfPermError(_TOO_LONG)
            if not (value.isascii() and value.isprintable()) or _ZONE_INDEX.search(value):
                raise SpfPermError("syntax")


def _reason(result: Result, resolver: _LookupResolver) -> str:
    match result.result:
        case "temperror":
            return FAULT_REASONS[resolver.fault or "timeout"]  # without a fault, the time limit of spftrace has passed
        case "none":
            return "no SPF record"
        case "permerror":
            theirs = next(event.data["reason"] for event in reversed(result.trace.events) if event.kind == "exit")
            return next((ours for prefix, ours in _REASONS if theirs.startswith(prefix)), "syntax error in SPF record")
    return ""
