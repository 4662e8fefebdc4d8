"""Whether a text names a domain that somebody can prove and receive mail for, and its one form.

Pure. Called by the domain use cases.
"""

from __future__ import annotations

import ipaddress
import re

import idna

from router.admin import words
from router.errors import Refused
from router.mail.address import AddressError, domain_key

# 253 characters for a name in DNS, less `_emailrouter.` where its TXT record belongs.
MAX_DOMAIN = 240

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
# Names of two labels under which anybody can register: nobody owns them. The frequent ones; single labels are all
# refused anyway, and the DNS proof keeps everybody from taking what is not theirs.
_PUBLIC_SUFFIXES = frozenset(
    f"{second}.{top}"
    for top, seconds in {
        "ar": "com gob net org",
        "at": "ac co gv or",
        "au": "com edu gov id net org",
        "br": "com edu gov net org",
        "cn": "ac com edu gov net org",
        "co": "com edu gov net org",
        "hk": "com edu gov net org",
        "id": "ac co go net or web",
        "il": "ac co gov net org",
        "in": "ac co edu gov net org",
        "jp": "ac ad co ed go gr lg ne or",
        "kr": "ac co go ne or re",
        "mx": "com edu gob net org",
        "my": "com edu gov net org",
        "nz": "ac co geek gen govt net org school",
        "pl": "com edu gov net org",
        "sg": "com edu gov net org",
        "th": "ac co go in net or",
        "tr": "bel com edu gov net org",
        "tw": "com edu gov idv net org",
        "ua": "com edu gov net org",
        "uk": "ac co gov ltd me net nhs org plc police sch",
        "za": "ac co gov net org web",
    }.items()
    for second in seconds.split()
)


def domain_name(text: str) -> str:
    """The domain in A-labels and lower case (IDNA 2008), without the root's dot. Raises `Refused("invalid_domain")`."""
    typed = words.line(text, "domain", most=255, code="invalid_domain")
    if _is_address(typed):
        raise _refused("an IP address cannot be a mail domain")
    if "@" in typed:
        raise _refused("write what stands after the @ alone")
    try:
        name = domain_key(typed)
    except AddressError:
        raise _refused("it is not a valid internationalized name") from None
    labels = name.split(".")
    if len(name) > MAX_DOMAIN:
        raise _refused(f"it is longer than {MAX_DOMAIN} characters")
    for label in labels:
        _check_label(label)
    if len(labels) < 2:
        raise _refused("it needs a dot, like example.com")
    if labels[-1].isdigit():
        raise _refused("its last label must not be a number")
    if name in _PUBLIC_SUFFIXES:
        raise _refused("anybody can register names below it, so nobody owns it")
    return name


def _check_label(label: str) -> None:
    if not _LABEL.fullmatch(label):
        why = "two dots in a row, or one at its start" if not label else f"{label[:70]!r} is not a valid label"
        raise _refused(f"it has {why}" if not label else why)
    if label[2:4] == "--":
        try:
            if idna.alabel(idna.ulabel(label)).decode("ascii") == label:
                return
        except (idna.IDNAError, UnicodeError):
            pass
        raise _refused(f"{label[:70]!r} is not a valid internationalized label")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]").removeprefix("IPv6:").removesuffix("."))
    except ValueError:
        return False
    return True


def _refused(why: str) -> Refused:
    return Refused("invalid_domain", f"Domain name is invalid: {why}", "domain")
