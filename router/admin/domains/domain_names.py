"""Validation and normalisation of mail domain names.

People paste what they have: an address of a website or a mailbox is understood as its domain.

The list of public suffixes is loaded on first use and kept in memory.
"""

from __future__ import annotations

import ipaddress
import re
from functools import cache

import idna
from publicsuffixlist import PublicSuffixList

from router.admin import validation
from router.dns.receivers import MAX_DOMAIN_LENGTH
from router.errors import Refused
from router.mail.address import AddressError, domain_key, parse_mailbox

# A URL of a website, or a host name followed by a path.
_WEBSITE = re.compile(
    r"(?:https?://(?P<url_host>[^/?#@:\s]+)|(?P<host>[^/?#@:\s]+)(?=/))(?::\d{1,5})?(?:[/?#].*)?", re.IGNORECASE
)
MAX_INPUT_LENGTH = 2000  # of a pasted URL

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def normalize_domain_name(text: str) -> str:
    """Returns the domain in A-labels (IDNA 2008), in lower case, without a trailing dot. Raises `Refused`.

    The URL of a website, `user@domain` and `@domain` stand for their domain. `www.` is removed from a URL only: a name
    with this label can be a mail domain.
    """
    line = validation.validate_line(text, "domain", max_length=MAX_INPUT_LENGTH, code="invalid_domain")
    given = _extract_domain(line)
    if _is_ip_address(given):
        raise _rejection("an IP address cannot be a mail domain")
    try:
        name = domain_key(given)
    except AddressError:
        raise _rejection("it is not a valid internationalized domain name") from None
    labels = name.split(".")
    if len(name) > MAX_DOMAIN_LENGTH:
        raise _rejection(f"it is longer than {MAX_DOMAIN_LENGTH} characters")
    for label in labels:
        _check_label(label)
    if len(labels) < 2:
        raise _rejection("it must have at least two labels, like example.com")
    if labels[-1].isdigit():
        raise _rejection("its last label must not be numeric")
    if _public_suffixes().is_public(name):
        raise _rejection("it is a public suffix, under which anyone can register names")
    return name


def is_mail_domain(name: str) -> bool:
    """Returns whether a normalised name is below a public suffix, so that it has an owner."""
    return "." in name and not _public_suffixes().is_public(name)


def _extract_domain(line: str) -> str:
    """Returns the domain of a URL or an address; other texts unchanged."""
    if website := _WEBSITE.fullmatch(line):
        host = website["url_host"] or website["host"]
        without_www = re.sub(r"^www\.", "", host, flags=re.IGNORECASE)
        return without_www if "." in without_www.rstrip(".") else host
    if "://" in line:
        raise _rejection("enter a domain such as example.com")
    local_part, at, domain = line.removeprefix("mailto:").rpartition("@")
    if not at:
        return line
    try:
        parse_mailbox(f"{local_part or 'postmaster'}@{domain}")
    except AddressError as error:
        raise _rejection(str(error)) from None
    return domain


@cache
def _public_suffixes() -> PublicSuffixList:
    """Returns the ICANN section of the Public Suffix List, with suffixes such as `co.uk` and `*.ck`.

    The private section is excluded: suffixes such as `github.io` have an owner and can receive mail.
    """
    return PublicSuffixList(only_icann=True)


def _check_label(label: str) -> None:
    if not _LABEL.fullmatch(label):
        raise _rejection(f"{label[:70]!r} is not a valid label" if label else "it has an empty label")
    if label[2:4] == "--":
        try:
            if idna.alabel(idna.ulabel(label)).decode("ascii") == label:
                return
        except (idna.IDNAError, UnicodeError):
            pass
        raise _rejection(f"{label[:70]!r} is not a valid internationalized label")


def _is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]").removeprefix("IPv6:").removesuffix("."))
    except ValueError:
        return False
    return True


def _rejection(reason: str) -> Refused:
    return Refused("invalid_domain", f"Domain name is invalid: {reason}", "domain")
