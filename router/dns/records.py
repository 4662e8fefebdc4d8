"""The two records that a domain owes us, and the judgement of what was found in their place.

Pure. A judgement is a status and, unless all is well, the fix in words: for someone in front of a provider's web
form who has never read an RFC. What the fixes know are the mistakes that people make there.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from router.dns.resolver import Found, Missing, Mx, Unknown

RecordStatus = Literal["ok", "missing", "wrong", "error"]
TXT_LABEL = "_emailrouter"
TXT_PREFIX = "emailrouter-verification="
_ALIKE = 0.85  # of difflib's ratio: one or two letters of a host's name
_PRIORITY = re.compile(r"^\d{1,5}[\s.]*|[\s.]+\d{1,5}$")
_LATER = "If you changed it recently, wait: DNS changes can take up to 24 hours to propagate."


@dataclass(frozen=True, slots=True)
class Judgement:
    """status, and the fix in words, "" when ok."""

    status: RecordStatus
    fix: str = ""


def txt_name(domain: str) -> str:
    """Where the TXT record belongs."""
    return f"{TXT_LABEL}.{domain}"


def txt_value(token: str) -> str:
    """What the TXT record says."""
    return f"{TXT_PREFIX}{token}"


def mx_texts(hosts: Sequence[tuple[str, int]]) -> tuple[str, ...]:
    """`10 mx1.example.net` for each (host, priority), the best first."""
    return tuple(f"{priority} {host}" for priority, host in sorted((p, plain(h)) for h, p in hosts))


def plain(host: str) -> str:
    """A host's name as compared: lower case, no final dot."""
    return host.strip().rstrip(".").lower()


def judge_mx(
    domain: str,
    found: Found[Mx] | Missing | Unknown,
    ours: Sequence[tuple[str, int]],
    elsewhere: Sequence[str] = (),
) -> Judgement:
    """Right when one of ours is there and no foreign host has an equal or better (smaller) preference.

    ours: (host, priority) pairs. elsewhere: other names at which a record of ours was found by mistake.
    """
    wanted = " and ".join(f"MX {text}" for text in mx_texts(ours))
    if isinstance(found, Unknown):
        return Judgement("error", f"Cannot read the MX records of {domain}: {found.reason}. Try again later.")
    if elsewhere:
        return Judgement(
            "missing",
            f"The MX record is at {elsewhere[0]} because the DNS provider appends the domain name automatically. "
            f"Leave the name field empty (or enter @) to create the record at {domain}.",
        )
    if isinstance(found, Missing):
        if found.alias:
            return Judgement("wrong", _cname(domain, found.alias, wanted))
        return Judgement("missing", f"{domain} has no MX record. Add {wanted}. {_LATER}")
    names = {plain(host) for host, _ in ours}
    best = min((record.preference for record in found.values if record.host in names), default=None)
    if best is not None:
        return _foreign(domain, found.values, names, best)
    if found.alias:
        return Judgement("wrong", _cname(domain, found.alias, wanted))
    return Judgement("wrong", _mistake(domain, found.values, sorted(names), wanted))


def judge_upstream_mx(domain: str, found: Found[Mx] | Missing | Unknown) -> Judgement:
    """For a domain behind another relay: its MX records are that relay's affair, but there must be some."""
    if isinstance(found, Unknown):
        return Judgement("error", f"Cannot read the MX records of {domain}: {found.reason}. Try again later.")
    hosts = [record.host for record in found.values if record.host] if isinstance(found, Found) else []
    if hosts:
        return Judgement("ok")
    return Judgement(
        "missing",
        f"{domain} has no MX record and cannot receive mail. Add the MX records of the upstream relay; "
        "the TXT record verifies the domain.",
    )


def not_yet_everywhere(name: str, kind: str) -> str:
    """The fix when name servers disagree."""
    return (
        f"Some name servers return the correct {kind} record of {name}, others still return the old one. "
        "The change is propagating; check again in an hour."
    )


def judge_txt(
    domain: str, found: Found[str] | Missing | Unknown, token: str, elsewhere: Sequence[str] = ()
) -> Judgement:
    """Right when one of the values is exactly ours; other values beside it do not matter.

    elsewhere: other names at which exactly our value was found.
    """
    name, value = txt_name(domain), txt_value(token)
    if isinstance(found, Unknown):
        return Judgement("error", f"Cannot read the TXT records of {name}: {found.reason}. Try again later.")
    values = found.values if isinstance(found, Found) else ()
    if value in values:
        return Judgement("ok")
    if elsewhere:
        where = f"The TXT record is at {elsewhere[0]} instead of {name}."
        if elsewhere[0] == domain:
            return Judgement("missing", f"{where} Enter {TXT_LABEL} in the name field.")
        return Judgement(
            "missing",
            f"{where} The DNS provider appends the zone name automatically: "
            "enter only the part before the zone name in the name field.",
        )
    if not values:
        return Judgement("missing", f"{name} has no TXT record. Add one with the value {value}. {_LATER}")
    return Judgement("wrong", _txt_mistake(name, values, token))


def _foreign(domain: str, records: Sequence[Mx], ours: set[str], best: int) -> Judgement:
    """One of ours is there; does a foreign host get the mail before or beside it?"""
    rivals = [record for record in records if record.host not in ours and record.preference <= best]
    if not rivals:
        return Judgement("ok")
    if any(not record.host for record in rivals):
        return Judgement(
            "wrong", f"{domain} also has a null MX record, which refuses all mail. Remove MX 0 . (a single dot)."
        )
    listed = ", ".join(f"{record.preference} {record.host}" for record in rivals[:5])
    return Judgement(
        "wrong",
        f"Other mail servers have equal or higher priority: {listed}. Remove these MX records, "
        f"or give them a number greater than {best} (a lower number means higher priority).",
    )


def _cname(domain: str, alias: str, wanted: str) -> str:
    return (
        f"{domain} is a CNAME for {alias}, and a name with a CNAME cannot have MX records. "
        f"Remove the CNAME (use A and AAAA records for the website), then add {wanted}."
    )


def _mistake(domain: str, records: Sequence[Mx], ours: Sequence[str], wanted: str) -> str:
    """None of ours is there: what looks like an attempt at it?"""
    if all(not record.host for record in records):
        return f"{domain} has a null MX record, which refuses all mail. Remove MX 0 . (a single dot) and add {wanted}."
    for record in records:
        for host in ours:
            mistake = _spelling(domain, record.host, host)
            if mistake:
                return f"{mistake} Change it to {wanted}."
    listed = ", ".join(f"{record.preference} {record.host or '.'}" for record in records[:5])
    return f"The MX records of {domain} point to other mail servers: {listed}. Replace them with {wanted}. {_LATER}"


def _spelling(domain: str, found: str, ours: str) -> str:
    """What is wrong with `found`, if it was meant to be `ours`; "" when it was not."""
    if found.startswith(f"{ours}."):
        zone = found[len(ours) + 1 :]
        if domain == zone or domain.endswith(f".{zone}"):
            return (
                f"The DNS provider appended its zone name to the host name ({found}): "
                f"enter the host name with a trailing dot ({ours}.)."
            )
    bare = _unescaped(found)
    if bare != ours and _PRIORITY.sub("", bare) == ours:
        return f"The priority is in the host name field ({bare}): enter it in the priority field."
    if "\\." in found and (bare.rstrip(".") == ours or bare.startswith(f"{ours}.")):
        return f"The DNS provider escaped the dots of the host name ({found}): enter it without a trailing dot."
    if _is_address(found):
        return f"The MX record contains an IP address ({found}); it must contain a host name."
    if difflib.SequenceMatcher(None, found, ours).ratio() >= _ALIKE:
        return f"The host name in the MX record ({found}) looks like a misspelling of {ours}."
    return ""


def _unescaped(host: str) -> str:
    """A host's name as somebody typed it: blanks and dots inside a label are escaped in the DNS's own form."""
    return host.replace("\\032", " ").replace("\\.", ".").strip()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _txt_mistake(name: str, values: Sequence[str], token: str) -> str:
    expected = txt_value(token)
    if TXT_PREFIX in values and token in values:
        return f"The value is split across two TXT records of {name}: add one record with the value {expected}."
    for value in values:
        bare = value.strip().strip("\"'\u201c\u201d").strip()
        if bare == expected:
            return f"The TXT record of {name} has quotation marks or spaces in its value: the value must be {expected}."
        if bare == token:
            return f"The TXT record of {name} contains only the code: the value must be {expected}."
        if bare.lower() == expected.lower():
            return f"The TXT record of {name} has the wrong upper or lower case: the value must be {expected}."
        if "".join(bare.split()) == expected or bare.replace('" "', "").replace('""', "") == expected:
            return f"The value of the TXT record of {name} is split: the value must be {expected}, in one piece."
    old = next((value for value in values if value.startswith(TXT_PREFIX)), "")
    if old:
        return (
            f"The TXT record of {name} has a different code ({old}), created earlier or for another workspace. "
            f"Replace it with {expected}. {_LATER}"
        )
    return f"No TXT record of {name} has the expected value: add one with the value {expected}."
