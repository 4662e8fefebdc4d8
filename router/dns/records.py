"""Checks the MX and TXT records of a domain, and explains how to fix them. Pure.

The explanations cover common mistakes of users who edit DNS records in a provider's web form.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from router.dns.receivers import (
    TXT_LABEL,
    find_other_receiver,
    find_private_name,
    normalize_host,
    warn_of_move,
    warn_of_private_name,
)
from router.dns.resolver import DnsFailure, DnsRecords, MxRecord, NoDnsRecord

RecordStatus = Literal["ok", "missing", "wrong", "error"]
TXT_PREFIX = "emailrouter-verification="
MAX_STRING_BYTES = 255  # of a string in a TXT record (RFC 1035 section 3.3)
_SIMILARITY_RATIO = 0.85  # from this `difflib` ratio on, a host name counts as a misspelling
_PRIORITY_PART = re.compile(r"^\d{1,5}[\s.]*|[\s.]+\d{1,5}$")
PROPAGATION_NOTE = "If you changed it recently, wait: other servers can use the old answer until its TTL ends."


@dataclass(frozen=True, slots=True)
class RecordCheck:
    """The status of a record, and how to fix the record ("" if the status is `ok`)."""

    status: RecordStatus
    fix: str = ""


def txt_name(domain: str) -> str:
    return f"{TXT_LABEL}.{domain}"


def txt_value(token: str) -> str:
    return f"{TXT_PREFIX}{token}"


def split_text(text: str) -> list[bytes]:
    """Returns a TXT value as strings of at most 255 bytes."""
    data = text.encode()
    return [data[start : start + MAX_STRING_BYTES] for start in range(0, len(data), MAX_STRING_BYTES)] or [b""]


def format_mx_records(hosts: Sequence[tuple[str, int]]) -> tuple[str, ...]:
    """Formats (host, priority) pairs as `10 mx1.example.net`, lowest number first."""
    return tuple(f"{priority} {host}" for priority, host in sorted((p, normalize_host(h)) for h, p in hosts))


def check_mx(
    domain: str,
    answer: DnsRecords[MxRecord] | NoDnsRecord | DnsFailure,
    mx_hosts: Sequence[tuple[str, int]],
    misplaced_at: Sequence[str] = (),
) -> RecordCheck:
    """Checks that this installation has the highest priority among the MX records of a domain.

    Args:
        domain: The domain name in A-label form.
        mx_hosts: (host, priority) pairs of this installation.
        misplaced_at: Other names where an MX record of this installation was found.
    """
    expected = " and ".join(f"MX {text}" for text in format_mx_records(mx_hosts))
    if isinstance(answer, DnsFailure):
        return RecordCheck("error", f"Cannot read the MX records of {domain}: {answer.reason}. Try again later.")
    result = _compare_mx(domain, answer, mx_hosts, expected, misplaced_at)
    private_name = find_private_name(mx_hosts)
    if result.status == "ok" or not private_name:
        return result
    receiver = find_other_receiver(answer.values, mx_hosts) if isinstance(answer, DnsRecords) else None
    warning = "" if receiver is None else f" {warn_of_move(domain, receiver)}"
    return RecordCheck(result.status, f"{warn_of_private_name(private_name)}{warning}")


def _compare_mx(
    domain: str,
    answer: DnsRecords[MxRecord] | NoDnsRecord,
    mx_hosts: Sequence[tuple[str, int]],
    expected: str,
    misplaced_at: Sequence[str],
) -> RecordCheck:
    if misplaced_at:
        return RecordCheck(
            "missing",
            f"The MX record is at {misplaced_at[0]} because the DNS provider appends the domain name automatically. "
            f"Leave the name field empty (or enter @) to create the record at {domain}.",
        )
    if isinstance(answer, NoDnsRecord):
        if answer.alias:
            return RecordCheck("wrong", _cname_hint(domain, answer.alias, expected))
        return RecordCheck("missing", f"{domain} has no MX record. Add {expected}. {PROPAGATION_NOTE}")
    own_hosts = {normalize_host(host) for host, _ in mx_hosts}
    best_preference = min((record.preference for record in answer.values if record.host in own_hosts), default=None)
    if best_preference is not None:
        return _check_other_hosts(domain, answer.values, mx_hosts, best_preference)
    if answer.alias:
        receiver = find_other_receiver(answer.values, mx_hosts)
        warning = "" if receiver is None else f" {warn_of_move(domain, receiver)}"
        return RecordCheck("wrong", f"{_cname_hint(domain, answer.alias, expected)}{warning}")
    return RecordCheck("wrong", _wrong_mx_hint(domain, answer.values, mx_hosts, expected))


def check_upstream_mx(domain: str, answer: DnsRecords[MxRecord] | NoDnsRecord | DnsFailure) -> RecordCheck:
    """Checks that a domain with an upstream relay has an MX record other than a null MX."""
    if isinstance(answer, DnsFailure):
        return RecordCheck("error", f"Cannot read the MX records of {domain}: {answer.reason}. Try again later.")
    hosts = [record.host for record in answer.values if record.host] if isinstance(answer, DnsRecords) else []
    if hosts:
        return RecordCheck("ok")
    return RecordCheck(
        "missing",
        f"{domain} has no MX record and cannot receive mail. Add the MX records of the upstream relay; "
        "the TXT record verifies the domain.",
    )


def propagation_hint(name: str, kind: str) -> str:
    return (
        f"Some name servers return the correct {kind} record of {name}, others still return the old one. "
        "The change is propagating; check again in an hour."
    )


def check_txt(
    domain: str, answer: DnsRecords[str] | NoDnsRecord | DnsFailure, token: str, misplaced_at: Sequence[str] = ()
) -> RecordCheck:
    """Checks that at least one TXT record has the verification value.

    Args:
        domain: The domain name in A-label form.
        misplaced_at: Other names where the expected value was found.
    """
    name, value = txt_name(domain), txt_value(token)
    if isinstance(answer, DnsFailure):
        return RecordCheck("error", f"Cannot read the TXT records of {name}: {answer.reason}. Try again later.")
    values = answer.values if isinstance(answer, DnsRecords) else ()
    if value in values:
        return RecordCheck("ok")
    if misplaced_at:
        location = f"The TXT record is at {misplaced_at[0]} instead of {name}."
        if misplaced_at[0] == domain:
            return RecordCheck("missing", f"{location} Enter {TXT_LABEL} in the name field.")
        return RecordCheck(
            "missing",
            f"{location} The DNS provider appends the zone name automatically: "
            "enter only the part before the zone name in the name field.",
        )
    if not values:
        return RecordCheck("missing", f"{name} has no TXT record. Add one with the value {value}. {PROPAGATION_NOTE}")
    return RecordCheck("wrong", _wrong_txt_hint(name, values, token))


def _check_other_hosts(
    domain: str, records: Sequence[MxRecord], mx_hosts: Sequence[tuple[str, int]], best_preference: int
) -> RecordCheck:
    if any(not record.host and record.preference <= best_preference for record in records):
        return RecordCheck(
            "wrong", f"{domain} also has a null MX record, which refuses all mail. Remove MX 0 . (a single dot)."
        )
    receiver = find_other_receiver(records, mx_hosts)
    if receiver is None:
        return RecordCheck("ok")
    return RecordCheck(
        "wrong",
        f"Other mail servers have equal or higher priority: {_list_hosts(receiver.records)}. "
        f"{warn_of_move(domain, receiver)} To receive all mail here, remove these MX records, "
        f"or give them a number greater than {best_preference} (a lower number means higher priority).",
    )


def _list_hosts(records: Sequence[MxRecord]) -> str:
    return ", ".join(f"{record.preference} {record.host or '.'}" for record in records[:5])


def _cname_hint(domain: str, alias: str, expected: str) -> str:
    return (
        f"{domain} is a CNAME for {alias}, and a name with a CNAME cannot have MX records. "
        f"Remove the CNAME (use A and AAAA records for the website), then add {expected}."
    )


def _wrong_mx_hint(domain: str, records: Sequence[MxRecord], mx_hosts: Sequence[tuple[str, int]], expected: str) -> str:
    receiver = find_other_receiver(records, mx_hosts)
    if receiver is None:
        return (
            f"{domain} has a null MX record, which refuses all mail. Remove MX 0 . (a single dot) and add {expected}."
        )
    for record in records:
        for host in sorted({normalize_host(host) for host, _ in mx_hosts}):
            mistake = _misspelling_hint(domain, record.host, host)
            if mistake:
                return f"{mistake} Change it to {expected}."
    return (
        f"{warn_of_move(domain, receiver)} To move all mail, replace the MX records found ({_list_hosts(records)}) "
        f"with {expected}. {PROPAGATION_NOTE}"
    )


def _misspelling_hint(domain: str, host: str, expected_host: str) -> str:
    """Explains how `host` differs from `expected_host`; returns "" if it is none of the known mistakes."""
    if host.startswith(f"{expected_host}."):
        zone = host[len(expected_host) + 1 :]
        if domain == zone or domain.endswith(f".{zone}"):
            return (
                f"The DNS provider appended its zone name to the host name ({host}): "
                f"enter the host name with a trailing dot ({expected_host}.)."
            )
    cleaned = _unescape(host)
    if cleaned != expected_host and _PRIORITY_PART.sub("", cleaned) == expected_host:
        return f"The priority is in the host name field ({cleaned}): enter it in the priority field."
    if "\\." in host and (cleaned.rstrip(".") == expected_host or cleaned.startswith(f"{expected_host}.")):
        return f"The DNS provider escaped the dots of the host name ({host}): enter it without a trailing dot."
    if _is_address(host):
        return f"The MX record contains an IP address ({host}); it must contain a host name."
    if difflib.SequenceMatcher(None, host, expected_host).ratio() >= _SIMILARITY_RATIO:
        return f"The host name in the MX record ({host}) looks like a misspelling of {expected_host}."
    return ""


def _unescape(host: str) -> str:
    """Undoes the escaping of spaces and dots within a label."""
    return host.replace("\\032", " ").replace("\\.", ".").strip()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _wrong_txt_hint(name: str, values: Sequence[str], token: str) -> str:
    expected = txt_value(token)
    if TXT_PREFIX in values and token in values:
        return f"The value is split across two TXT records of {name}: add one record with the value {expected}."
    for value in values:
        cleaned = value.strip().strip("\"'\u201c\u201d").strip()
        if cleaned == expected:
            return f"The TXT record of {name} has quotation marks or spaces in its value: the value must be {expected}."
        if cleaned == token:
            return f"The TXT record of {name} contains only the code: the value must be {expected}."
        if cleaned.lower() == expected.lower():
            return f"The TXT record of {name} has the wrong upper or lower case: the value must be {expected}."
        if "".join(cleaned.split()) == expected or cleaned.replace('" "', "").replace('""', "") == expected:
            return f"The value of the TXT record of {name} is split: the value must be {expected}, in one piece."
    outdated = next((value for value in values if value.startswith(TXT_PREFIX)), "")
    if outdated:
        return (
            f"The TXT record of {name} has a different code ({outdated}), created earlier or for another workspace. "
            f"Replace it with {expected}. {PROPAGATION_NOTE}"
        )
    return f"No TXT record of {name} has the expected value: add one with the value {expected}."
