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
_LATER = "If you have just changed it: DNS changes can take up to a day to be seen everywhere; check again later."


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
        return Judgement("error", f"The MX records of {domain} could not be read: {found.reason}. Check again later.")
    if elsewhere:
        return Judgement(
            "missing",
            f"The MX record was made at {elsewhere[0]}: the provider adds the domain's name by itself. "
            f"Leave the name field empty (or write @), so that it is at {domain}.",
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
        return Judgement("error", f"The MX records of {domain} could not be read: {found.reason}. Check again later.")
    hosts = [record.host for record in found.values if record.host] if isinstance(found, Found) else []
    if hosts:
        return Judgement("ok")
    return Judgement(
        "missing",
        f"{domain} has no MX record, so nobody gets its mail: add those of the relay that hands it on to us. "
        "(MX is managed upstream; the TXT record is the proof.)",
    )


def not_yet_everywhere(name: str, kind: str) -> str:
    """The fix when name servers disagree."""
    return (
        f"Some name servers have the right {kind} record of {name}, others still give the old answer: "
        "it is on its way. There is nothing to change; check again in an hour."
    )


def judge_txt(
    domain: str, found: Found[str] | Missing | Unknown, token: str, elsewhere: Sequence[str] = ()
) -> Judgement:
    """Right when one of the values is exactly ours; other values beside it do not matter.

    elsewhere: other names at which exactly our value was found.
    """
    name, value = txt_name(domain), txt_value(token)
    if isinstance(found, Unknown):
        return Judgement("error", f"The TXT records of {name} could not be read: {found.reason}. Check again later.")
    values = found.values if isinstance(found, Found) else ()
    if value in values:
        return Judgement("ok")
    if elsewhere:
        where = f"The TXT record was made at {elsewhere[0]} instead of {name}."
        if elsewhere[0] == domain:
            return Judgement("missing", f"{where} Write {TXT_LABEL} into the name field.")
        return Judgement(
            "missing",
            f"{where} The provider adds its zone's name by itself: "
            "write only what stands before the zone's name into the name field.",
        )
    if not values:
        return Judgement("missing", f"{name} has no TXT record. Add it with the value {value}. {_LATER}")
    return Judgement("wrong", _txt_mistake(name, values, token))


def _foreign(domain: str, records: Sequence[Mx], ours: set[str], best: int) -> Judgement:
    """One of ours is there; does a foreign host get the mail before or beside it?"""
    rivals = [record for record in records if record.host not in ours and record.preference <= best]
    if not rivals:
        return Judgement("ok")
    if any(not record.host for record in rivals):
        return Judgement("wrong", f"{domain} also says that it takes no mail at all: remove MX 0 . (a single dot).")
    listed = ", ".join(f"{record.preference} {record.host}" for record in rivals[:5])
    return Judgement(
        "wrong",
        f"Other mail servers get the mail first: {listed}. Remove these MX records, "
        f"or give them a number larger than {best} (a smaller number is tried first).",
    )


def _cname(domain: str, alias: str, wanted: str) -> str:
    return (
        f"{domain} is a CNAME for {alias}, and a name with a CNAME can have no MX record of its own. "
        f"Remove the CNAME (use A and AAAA records for the web site), then add {wanted}."
    )


def _mistake(domain: str, records: Sequence[Mx], ours: Sequence[str], wanted: str) -> str:
    """None of ours is there: what looks like an attempt at it?"""
    if all(not record.host for record in records):
        return f"{domain} says that it takes no mail at all: remove MX 0 . (a single dot) and add {wanted}."
    for record in records:
        for host in ours:
            mistake = _spelling(domain, record.host, host)
            if mistake:
                return f"{mistake} Change it to {wanted}."
    listed = ", ".join(f"{record.preference} {record.host or '.'}" for record in records[:5])
    return f"The mail of {domain} goes elsewhere: {listed}. Replace these MX records by {wanted}. {_LATER}"


def _spelling(domain: str, found: str, ours: str) -> str:
    """What is wrong with `found`, if it was meant to be `ours`; "" when it was not."""
    if found.startswith(f"{ours}."):
        zone = found[len(ours) + 1 :]
        if domain == zone or domain.endswith(f".{zone}"):
            return (
                f"The provider added its zone's name to the host ({found}): "
                f"write the host with a dot at its end ({ours}.)."
            )
    bare = _unescaped(found)
    if bare != ours and _PRIORITY.sub("", bare) == ours:
        return f"The priority stands in the field of the host ({bare}): it has a field of its own."
    if "\\." in found and (bare.rstrip(".") == ours or bare.startswith(f"{ours}.")):
        return f"The provider took the dots of the host for letters ({found}): write it without a dot at its end."
    if _is_address(found):
        return f"The MX record names an address ({found}); it must name a host."
    if difflib.SequenceMatcher(None, found, ours).ratio() >= _ALIKE:
        return f"The host in the MX record ({found}) looks like {ours} misspelt."
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
        return f"The value was split over two TXT records of {name}: make one record of it, {expected}."
    for value in values:
        bare = value.strip().strip("\"'\u201c\u201d").strip()
        if bare == expected:
            return (
                f"The TXT record of {name} has quotation marks or spaces in its value: "
                f"write it without them, {expected}."
            )
        if bare == token:
            return f"The TXT record of {name} holds the code alone: the value must be {expected}."
        if bare.lower() == expected.lower():
            return f"The TXT record of {name} has capital letters where it should not: the value must be {expected}."
        if "".join(bare.split()) == expected or bare.replace('" "', "").replace('""', "") == expected:
            return f"The value of the TXT record of {name} was split: write it in one piece, {expected}."
    old = next((value for value in values if value.startswith(TXT_PREFIX)), "")
    if old:
        return (
            f"The TXT record of {name} has another code ({old}): it is from an earlier time or another workspace. "
            f"Replace it by {expected}. {_LATER}"
        )
    return f"The TXT record of {name} says something else: add one with the value {expected}."
