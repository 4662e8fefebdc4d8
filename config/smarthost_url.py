"""URLs of smarthosts: `smtps://user@host:465` and `smtp://user@host:587`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, unquote, urlsplit

from config import values

_ALLOWED = (
    'must be "smtps://user@host:465" or "smtp://user@host:587", optionally with "?tls=opportunistic"; the password is '
    "a setting of its own"
)
_PORTS = {"smtps": 465, "smtp": 587}


@dataclass(frozen=True, slots=True)
class SmarthostUrl:
    """A smarthost without its password.

    Attributes:
        scheme: `smtps` is TLS from the start, `smtp` is STARTTLS.
        host: A host name or an IP address; an IPv6 address has no brackets.
        user: "" without authentication.
        is_opportunistic: TLS is used if it is offered, and its certificate is not verified.
    """

    scheme: Literal["smtps", "smtp"]
    host: str
    port: int
    user: str = ""
    is_opportunistic: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        user = f"{quote(self.user, safe='')}@" if self.user else ""
        return f"{self.scheme}://{user}{host}:{self.port}{'?tls=opportunistic' if self.is_opportunistic else ''}"


def parse(value: object) -> SmarthostUrl:
    """Raises ValueError, whose text does not quote the value: it may contain a password."""
    if isinstance(value, SmarthostUrl):
        return value
    if not isinstance(value, str) or re.search(r"[\s\\<>\"\0#]", value):
        raise ValueError(_ALLOWED)
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:  # the original error quotes the value
        raise ValueError(_ALLOWED) from None
    user, host = unquote(parts.username or ""), parts.hostname or ""
    is_known = parts.scheme in _PORTS and port != 0 and parts.path in ("", "/")
    name = values.parse_host(f"[{host}]" if ":" in host else host)
    if not is_known or name is None or parts.password is not None or parts.query not in ("", "tls=opportunistic"):
        raise ValueError(_ALLOWED)
    if not user.isascii() or not user.isprintable():
        raise ValueError(_ALLOWED)
    scheme: Literal["smtps", "smtp"] = "smtps" if parts.scheme == "smtps" else "smtp"
    return SmarthostUrl(scheme, name, port or _PORTS[scheme], user, parts.query != "")


def parse_optional(value: object) -> SmarthostUrl | None:
    """Returns None for "off"."""
    if value is None or value == "off":
        return None
    try:
        return parse(value)
    except ValueError as error:
        raise ValueError(f'{error}; or "off"') from None
