"""Mail addresses as RFC 5321 section 4.1.2 and RFC 6531 section 3.3 write them, and the keys they are compared by.

`parse_mailbox` is the one way from text to `Mailbox`: what it returns is well formed, and `str()` of it parses to the
same mailbox again. It does not know DNS, aliases or replies; source routes and angle brackets belong to a path and are
taken off by `smtp.commands`. Time is linear in the text, whose length is checked first. Who calls it: the SMTP door
for MAIL and RCPT, routing for its keys, the alias use cases for what a person typed.

Looser than the letter in two places, because mail that works everywhere else must not fail here: an underscore may
stand in a domain's label, and a domain may end with the root's dot.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

import idna

from router.unicode_text import MAX_MARKS, has_long_marks, normalize

MAX_LOCAL_PART_BYTES = 64  # octets, RFC 5321 4.5.3.1.1
MAX_DOMAIN_BYTES = 255  # octets, RFC 5321 4.5.3.1.2
MAX_MAILBOX_BYTES = 254  # octets: the 256 of a path (RFC 5321 4.5.3.1.3) without its angle brackets
POSTMASTER = "postmaster"

# C0 and C1 controls, DEL, line and paragraph separators, and halves of surrogate pairs (octets that were not UTF-8).
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a0-\U0010ffff-]+"
_DOT_STRING = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_QUOTED_STRING = re.compile(r'"((?:[^"\\]|\\[\x20-\x7e])*)"')
_QUOTED_PAIR = re.compile(r"\\(.)")
_NEEDS_QUOTED_PAIR = re.compile(r'(["\\])')
_TOO_MANY_MARKS = f"the address has more than {MAX_MARKS} consecutive combining marks"
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")


class AddressError(ValueError):
    """The text is not a mailbox; the message says why, for the person or program that wrote it."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One mailbox. local_part: without quotes and escapes, case as given. domain: as given; `""` for `<postmaster>`."""

    local_part: str
    domain: str

    @property
    def local_key(self) -> str:
        """What local parts are compared by."""
        return local_key(self.local_part)

    @property
    def domain_key(self) -> str:
        """What domains are compared by. Raises `AddressError` only for a mailbox that was not parsed."""
        return domain_key(self.domain)

    def __str__(self) -> str:
        local = self.local_part
        if not _DOT_STRING.fullmatch(local):
            local = '"' + _NEEDS_QUOTED_PAIR.sub(r"\\\1", local) + '"'
        return f"{local}@{self.domain}" if self.domain else local


def local_key(local_part: str) -> str:
    """The key of an unquoted local part: without regard to case, composed (NFC). Applying it twice changes nothing."""
    if local_part.isascii():
        return local_part.lower()
    # Decomposed before folding, as Unicode's canonical caseless matching (D145) asks; once more because folding
    # some letters (U+0345 and what contains it) gives a text that decomposes differently.
    folded = normalize("NFD", local_part).casefold()
    return normalize("NFC", normalize("NFD", folded).casefold())


def domain_key(domain: str) -> str:
    """The key of a domain: A-labels in lower case without the root's dot; an address literal keeps its text.

    U-labels are mapped as UTS 46 says, non-transitional (upper case, full-width and other dots become what was meant;
    `ß` stays itself), then encoded by IDNA 2008. Raises `AddressError` for what has no A-label form.
    """
    if domain.startswith("[") or not domain:
        return domain
    if domain.isascii():
        return domain.lower().removesuffix(".")
    if has_long_marks(domain):  # `idna` normalises
        raise AddressError(_TOO_MANY_MARKS)
    try:
        return idna.encode(domain, uts46=True, transitional=False).decode("ascii").lower().removesuffix(".")
    except (idna.IDNAError, UnicodeError) as error:
        raise AddressError("the domain is not a valid internationalized domain name") from error


def parse_mailbox(text: str, *, local_part_limit: int = MAX_LOCAL_PART_BYTES) -> Mailbox:
    """The mailbox that `text` is: `local@domain`, or `postmaster` alone (RFC 5321 section 4.5.1).

    local_part_limit: octets; the SMTP door raises it for reverse-paths, because rewritten ones (SRS, VERP) are longer
    than 64 in real mail. Raises `AddressError` with the reason.
    """
    if len(text) > MAX_MAILBOX_BYTES:  # before anything that takes time; characters are never more than octets
        raise AddressError(f"the address is longer than {MAX_MAILBOX_BYTES} bytes")
    if _FORBIDDEN.search(text):
        raise AddressError("the address contains a control character or invalid UTF-8")
    if not text.isascii() and len(text.encode()) > MAX_MAILBOX_BYTES:
        raise AddressError(f"the address is longer than {MAX_MAILBOX_BYTES} bytes")
    if has_long_marks(text):  # refused, not cut: two addresses never become one
        raise AddressError(_TOO_MANY_MARKS)
    if text.startswith('"'):
        local, written, rest = _parse_quoted_local_part(text)
    else:
        written, at, _ = text.partition("@")
        local, rest = written, text[len(written) :]
        if not at and local_key(text) == POSTMASTER:
            return Mailbox(text, "")
        if not _DOT_STRING.fullmatch(local):
            raise AddressError(_describe_dot_string_error(local))
    if not rest.startswith("@"):
        raise AddressError("the address has no @ after the local part")
    if len(written.encode()) > local_part_limit:
        raise AddressError(f"the local part is longer than {local_part_limit} bytes")
    domain = rest[1:]
    _check_domain(domain)
    return Mailbox(local, domain)


def _parse_quoted_local_part(text: str) -> tuple[str, str, str]:
    """A quoted string at the start of `text`: what it means, how it was written, and what follows it."""
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
    """RFC 5321 4.1.2 Domain or 4.1.3 address literal, else `AddressError`."""
    if domain.startswith("["):
        _check_address_literal(domain)
        return
    if not domain:
        raise AddressError("the domain is empty")
    key = domain_key(domain)
    if len(domain) > MAX_DOMAIN_BYTES or len(key) > MAX_DOMAIN_BYTES - 2:  # 253 characters are 255 octets in DNS
        raise AddressError(f"the domain is longer than {MAX_DOMAIN_BYTES} bytes")
    for label in key.split("."):
        if not _LABEL.fullmatch(label):
            raise AddressError("the domain has an empty label" if not label else "the domain has an invalid label")


def _check_address_literal(domain: str) -> None:
    """`[192.0.2.1]` or `[IPv6:2001:db8::1]`; no other kind of literal is registered (RFC 5321 4.1.3)."""
    if not domain.endswith("]"):
        raise AddressError("the address literal has no closing bracket")
    inner = domain[1:-1]
    try:
        if inner[:5].lower() == "ipv6:":
            if "%" in inner:  # a zone means something on the sender's machine alone
                raise AddressError("the address literal has a zone ID")
            ipaddress.IPv6Address(inner[5:])
        else:
            ipaddress.IPv4Address(inner)
    except ipaddress.AddressValueError as error:
        raise AddressError("the address literal is not an IPv4 or IPv6 address") from error
