"""Parses DMARC records (RFC 9989 sections 4.7, 4.8 and 4.10.1). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, cast, get_args

DmarcPolicy = Literal["none", "quarantine", "reject"]

_POLICIES: tuple[DmarcPolicy, ...] = get_args(DmarcPolicy)
# Only the value is case-sensitive.
VERSION = re.compile(r"[vV][ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)")
# RFC 3986; commas and exclamation points are encoded. The size at the end is obsolete (RFC 9989 section 4.8).
_URI = re.compile(r"(?i)[a-z][a-z0-9+.-]*:(?:[a-z0-9._~:/?#\[\]@$&'()*+=-]|%[0-9a-f]{2})+(?:![0-9]+[kmgt]?)?")


@dataclass(frozen=True, slots=True)
class DmarcRecord:
    """A DMARC record.

    Attributes:
        policy, subdomain_policy, nonexistent_policy: What `p`, `sp` and `np` ask for, or what replaces a missing one,
            after `t`. All are `""` if the record is not valid: it then has no policy, but ends the tree walk.
        psd: `n`: the domain is an organizational domain. `y`: it is a public suffix. `u`: not stated.
    """

    policy: DmarcPolicy | Literal[""]
    subdomain_policy: DmarcPolicy | Literal[""]
    nonexistent_policy: DmarcPolicy | Literal[""]
    strict_spf: bool
    strict_dkim: bool
    psd: Literal["y", "n", "u"]

    @property
    def is_valid(self) -> bool:
        return self.policy != ""


def select_record(values: Iterable[str]) -> DmarcRecord | None:
    """Returns the DMARC record among the TXT records of one name; None if there is none, or more than one."""
    records = [value for value in values if VERSION.match(value)]
    return _parse_record(records[0]) if len(records) == 1 else None


def _parse_record(text: str) -> DmarcRecord:
    tags: dict[str, str] = {}
    for tag in text.split(";")[1:]:
        name, equals, value = tag.partition("=")
        name = name.strip(" \t").lower()
        if equals:
            # A repeated tag is as a tag whose value is not valid (RFC 6376 section 3.2).
            tags[name] = "" if name in tags else value.strip(" \t").lower()
    own, existing, nonexistent = _read_policies(tags)
    psd = tags.get("psd", "u")
    return DmarcRecord(
        own,
        existing,
        nonexistent,
        strict_spf=tags.get("aspf") == "s",
        strict_dkim=tags.get("adkim") == "s",
        psd=cast("Literal['y', 'n', 'u']", psd if psd in {"y", "n"} else "u"),
    )


def _read_policies(tags: dict[str, str]) -> tuple[DmarcPolicy | Literal[""], ...]:
    """Returns the policies for the domain, its existing and its nonexistent subdomains (RFC 9989 section 4.10.1)."""
    stated = [tags.get(name) for name in ("p", "sp", "np")]
    is_invalid = any(policy is not None and policy not in _POLICIES for policy in stated)
    if (is_invalid or stated[0] is None) and not any(
        _URI.fullmatch(uri.strip(" \t")) for uri in tags.get("rua", "").split(",")
    ):
        return "", "", ""
    if is_invalid:
        return "none", "none", "none"
    own = cast("DmarcPolicy", stated[0] or "none")
    existing = cast("DmarcPolicy", stated[1] or own)
    nonexistent = cast("DmarcPolicy", stated[2] or existing)
    if tags.get("t") == "y":
        return tuple(_POLICIES[max(_POLICIES.index(policy) - 1, 0)] for policy in (own, existing, nonexistent))
    return own, existing, nonexistent
