"""Mail addresses (RFC 5321 section 4.1.2, RFC 6531 section 3.3) and the keys by which they are compared.

`parse_mailbox` converts untrusted text to a well-formed `Mailbox` in linear time. It rejects source routes and angle
brackets around the address. Beyond the RFCs, it accepts a dot at the end of a domain, and underscores in an ASCII
domain.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

import idna

from router.unicode_text import MAX_MARKS, has_long_marks, normalize

MAX_LOCAL_PART_BYTES = 64  # RFC 5321 section 4.5.3.1.1
MAX_DOMAIN_BYTES = 255  # RFC 5321 section 4.5.3.1.2
MAX_MAILBOX_BYTES = 254  # 256 with angle brackets (RFC 5321 section 4.5.3.1.3)
POSTMASTER = "postmaster"

# Controls, line and paragraph separators, and surrogates, which UTF-8 cannot encode.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a0-\U0010ffff-]+"
_DOT_STRING = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_QUOTED_STRING = re.compile(r'"((?:[^"\\]|\\[\x20-\x7e])*)"')
_QUOTED_PAIR = re.compile(r"\\(.)")
_NEEDS_QUOTED_PAIR = re.compile(r'(["\\])')
_TOO_MANY_MARKS = f"the address has more than {MAX_MARKS} consecutive combining marks"
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")


class AddressError(ValueError):
    """The text is not a valid mailbox or domain. The error text is for display to the person who entered it."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox (RFC 5321 section 4.1.2), or `postmaster` with the domain `""`.

    `local_part` has neither the quotes nor the escapes of a quoted string. `str()` adds them where necessary.
    """

    local_part: str
    domain: str

    @property
    def local_key(self) -> str:
        return local_key(self.local_part)

    @property
    def domain_key(self) -> str:
        """Does not raise for a mailbox that `parse_mailbox` returned."""
        return domain_key(self.domain)

    def __str__(self) -> str:
        local = self.local_part
        if not _DOT_STRING.fullmatch(local):
            local = '"' + _NEEDS_QUOTED_PAIR.sub(r"\\\1", local) + '"'
        return f"{local}@{self.domain}" if self.domain else local


def local_key(local_part: str) -> str:
    """Returns an unquoted local part, case-folded and in NFC. Idempotent."""
    if local_part.isascii():
        return local_part.lower()
    # Canonical caseless matching (Unicode D145). NFD comes first, because folding turns the mark U+0345 into a letter.
    folded = normalize("NFD", local_part).casefold()
    return normalize("NFC", normalize("NFD", folded).casefold())


def domain_key(domain: str) -> str:
    """Returns a domain in lower-case ASCII without a trailing dot. Returns an address literal unchanged.

    U-labels are mapped by non-transitional UTS 46, then converted to A-labels (IDNA 2008). The syntax of ASCII domains
    is not checked.

    Raises:
        AddressError: A non-ASCII domain is not valid in IDNA 2008 or has too many combining marks.
    """
    if domain.startswith("[") or not domain:
        return domain
    if domain.isascii():
        return domain.lower().removesuffix(".")
    if has_long_marks(domain):  # `idna` normalises long runs of marks in quadratic time
        raise AddressError(_TOO_MANY_MARKS)
    try:
        return idna.encode(domain, uts46=True, transitional=False).decode("ascii").lower().removesuffix(".")
    except (idna.IDNAError, UnicodeError) as error:
        raise AddressError("the domain is not a valid internationalized domain name") from error


def parse_mailbox(text: str, *, local_part_limit: int = MAX_LOCAL_PART_BYTES) -> Mailbox:
    """Parses `local@domain`, or `postmaster` alone (RFC 5321 section 4.5.1).

    Args:
        local_part_limit: The maximum length of the local part in bytes, quotes and escapes included. Rewritten
            reverse-paths (SRS, VERP) may need more than 64.
    """
    if len(text) > MAX_MAILBOX_BYTES:  # a cheap check before encoding
        raise AddressError(f"the address is longer than {MAX_MAILBOX_BYTES} bytes")
    if _FORBIDDEN.search(text):
        raise AddressError("the address contains a control character or invalid UTF-8")
    if not text.isascii() and len(text.encode()) > MAX_MAILBOX_BYTES:
        raise AddressError(f"the address is longer than {MAX_MAILBOX_BYTES} bytes")
    if has_long_marks(text):  # `normalize` would truncate the marks, which could make two addresses equal
        raise AddressError(_TOO_MANY_MARKS)
    if text.startswith('"'):
        local, original, remaining = _parse_quoted_local_part(text)
    else:
        original, at, _ = text.partition("@")
        local, remaining = original, text[len(original) :]
        if not at and local_key(text) == POSTMASTER:
            return Mailbox(text, "")
        if not _DOT_STRING.fullmatch(local):
            raise AddressError(_describe_dot_string_error(local))
    if not remaining.startswith("@"):
        raise AddressError("the address has no @ after the local part")
    if len(original.encode()) > local_part_limit:
        raise AddressError(f"the local part is longer than {local_part_limit} bytes")
    domain = remaining[1:]
    _check_domain(domain)
    return Mailbox(local, domain)


def _parse_quoted_local_part(text: str) -> tuple[str, str, str]:
    match = _QUOTED_STRING.match(text)
    if match is None:
        raise AddressError("the quoted local part is not closed or has an invalid escape")
    return _QUOTED_PAIR.sub(r"\1", match[1]), match[0], text[match.end() :]


def _describe_dot_string_error(local: str) -> str:
    if not local:
        return "the local part is empty"
    if local.startswith(".") or local.endswith(".") or ".." in local:
        return "the local part starts or ends with a dot or has consecutive dots"
    return "the local part has a character that must be quoted"


def _check_domain(domain: str) -> None:
    """Checks the syntax of a domain or an address literal (RFC 5321 sections 4.1.2 and 4.1.3)."""
    if domain.startswith("["):
        _check_address_literal(domain)
        return
    if not domain:
        raise AddressError("the domain is empty")
    key = domain_key(domain)
    if len(domain) > MAX_DOMAIN_BYTES or len(key) > MAX_DOMAIN_BYTES - 2:  # 253 characters take 255 bytes in DNS
        raise AddressError(f"the domain is longer than {MAX_DOMAIN_BYTES} bytes")
    for label in key.split("."):
        if not _LABEL.fullmatch(label):
            raise AddressError("the domain has an empty label" if not label else "the domain has an invalid label")


def _check_address_literal(domain: str) -> None:
    """Accepts IPv4 and IPv6 addresses: `[192.0.2.1]`, `[IPv6:2001:db8::1]` (RFC 5321 section 4.1.3)."""
    if not domain.endswith("]"):
        raise AddressError("the address literal has no closing bracket")
    inner = domain[1:-1]
    try:
        if inner[:5].lower() == "ipv6:":
            if "%" in inner:  # a zone ID is only valid on the sender's machine
                raise AddressError("the address literal has a zone ID")
            ipaddress.IPv6Address(inner[5:])
        else:
            ipaddress.IPv4Address(inner)
    except ipaddress.AddressValueError as error:
        raise AddressError("the address literal is not an IPv4 or IPv6 address") from error
