"""The types of settings: durations, addresses, networks, host names, URLs, blocked senders, paths.

Each `parse_*` function takes any value from TOML, JSON or the environment. For an invalid value it raises
ValueError; the message says what is allowed, and does not quote the value. Nothing is resolved by DNS or read from
a file.
"""

import re
import socket
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

Network = IPv4Network | IPv6Network

_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_DURATION = re.compile(r"([0-9]{1,15})(ms|s|m|h|d)?")
_DURATION_ALLOWED = 'must be a duration like "250ms", "60s", "10m", "1h" or "3d", or whole seconds'
# About 100 years, because adding a much longer duration to the current date would overflow.
_MAX_DURATION = timedelta(days=36500)

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_BRACKETED = re.compile(r"\[([0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?)\]")
_PORT = re.compile(r"[0-9]{1,5}")
_DNS_PORT = 53


@dataclass(frozen=True, slots=True)
class Address:
    """An address to listen on or to connect to. An IPv6 `host` has no brackets. Port 0 selects a free port."""

    host: str
    port: int

    @classmethod
    def parse(cls, value: object) -> Self:
        """Parses `127.0.0.1:2525`, `[::1]:2525` or `localhost:2525`."""
        if isinstance(value, cls):
            return value
        if isinstance(value, str):
            host, colon, port = value.rpartition(":")
            if host in ("", "*") and colon:
                raise ValueError(
                    'must include an address: "0.0.0.0:port" for all IPv4 addresses, "[::]:port" for all of IPv6'
                )
            name = parse_host(host)
            if name and _PORT.fullmatch(port) and int(port) <= 65535:
                return cls(name, int(port))
        raise ValueError('must be host:port, like "127.0.0.1:2525" or "[::1]:2525"')

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_listen(value: object) -> tuple[Address, ...] | Literal["systemd"]:
    if value == "systemd":
        return "systemd"
    if not isinstance(value, list | tuple) or not value:
        raise ValueError('must be a list of addresses, like ["127.0.0.1:2525", "[::1]:2525"], or "systemd"')
    if len(value) == 1 and value[0] == "systemd":
        return "systemd"
    if "systemd" in value:
        raise ValueError('must be either addresses or "systemd"; the systemd socket unit lists its addresses')
    return tuple(Address.parse(entry) for entry in value)


def parse_address_or_systemd(value: object) -> Address | Literal["systemd"]:
    if value == "systemd":
        return "systemd"
    try:
        return Address.parse(value)
    except ValueError as error:
        raise ValueError(f'{error}, or "systemd"') from None


def parse_optional_address(value: object) -> Address | None:
    """Parses an address. Returns None for `"off"`."""
    if value is None or value == "off":
        return None
    try:
        return Address.parse(value)
    except ValueError as error:
        raise ValueError(f'{error}, or "off"') from None


def parse_nameserver(value: object) -> Address:
    """Parses the IP address of a DNS server, with or without a port.

    `localhost` means 127.0.0.1. Other names are rejected, because resolving them could need a DNS server.
    """
    if isinstance(value, Address):
        return value
    if isinstance(value, str):
        try:
            return Address(str(ip_address(value)), _DNS_PORT)
        except ValueError:
            pass
        host, port = (value, str(_DNS_PORT)) if value == "localhost" else value.rpartition(":")[::2]
        try:
            address = Address.parse(f"{'127.0.0.1' if host == 'localhost' else host}:{port}")
            return Address(str(ip_address(address.host)), address.port)
        except ValueError:
            pass
    raise ValueError('must be an IP address with or without a port, like "192.0.2.53", "127.0.0.1:5353", "[::1]:53"')


def parse_duration(value: object) -> timedelta:
    """Parses a duration of zero or more. A number without a unit is in seconds."""
    if isinstance(value, timedelta):
        duration = value
    elif isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**12:
        duration = timedelta(seconds=value)
    elif isinstance(value, str) and (match := _DURATION.fullmatch(value)):
        try:
            duration = int(match[1]) * _UNITS[match[2] or "s"]
        except OverflowError:
            duration = timedelta.max
    else:
        raise ValueError(_DURATION_ALLOWED)
    if not timedelta() <= duration <= _MAX_DURATION:
        raise ValueError(f"{_DURATION_ALLOWED}, from 0 to {_MAX_DURATION.days}d")
    return duration


def parse_positive_duration(value: object) -> timedelta:
    """Parses a duration longer than zero."""
    duration = parse_duration(value)
    if not duration:
        raise ValueError(f"{_DURATION_ALLOWED}, longer than 0")
    return duration


def parse_retention(value: object) -> timedelta | None:
    """Parses a positive duration. Returns None for `"forever"`."""
    if value is None or value == "forever":
        return None
    try:
        return parse_positive_duration(value)
    except ValueError as error:
        raise ValueError(f'{error}; or "forever"') from None


def format_duration(duration: timedelta) -> str:
    """Formats a duration for `parse_duration`, as a whole number of the largest possible unit.

    A fraction of a millisecond is dropped.
    """
    for unit, step in reversed(_UNITS.items()):
        if duration and not duration % step:
            return f"{duration // step}{unit}"
    return f"{duration // _UNITS['ms']}ms" if duration else "0s"


def parse_network(value: object) -> Network:
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    if isinstance(value, str):
        try:
            return ip_network(value)
        except ValueError:
            pass
    raise ValueError('must be a network like "10.0.0.0/8" or "2001:db8::/32" (no host bits set), or a single address')


def parse_hostname(value: object) -> str:
    """Returns an ASCII DNS name in lower case without a trailing dot."""
    name = value.removesuffix(".").lower() if isinstance(value, str) else ""
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels) or labels[-1].isdigit():
        raise ValueError('must be a host name like "mx1.example.com" (letters, digits, hyphens, dots)')
    return name


def parse_public_url(value: object) -> str:
    """Returns an HTTP or HTTPS URL without a trailing slash."""
    allowed = 'must be an http:// or https:// URL, like "https://mail.example.com", without user, query or fragment'
    if not isinstance(value, str) or re.search(r"[\s\\<>\"\0?#@]", value):
        raise ValueError(allowed)
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:  # the original error quotes the value
        raise ValueError(allowed) from None
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or port == 0 or not parse_host(f"[{host}]" if ":" in host else host):
        raise ValueError(allowed)
    return parts.geturl().rstrip("/")


def parse_optional_url(value: object) -> str | None:
    """Returns an HTTP or HTTPS URL without a trailing slash; None for "off"."""
    if value is None or value == "off":
        return None
    try:
        return parse_public_url(value)
    except ValueError as error:
        raise ValueError(f'{error}, or "off"') from None


def parse_relay(value: object) -> str:
    """Returns a network, a host name, or `.` and a domain for all hosts below it."""
    if isinstance(value, str):
        try:
            return str(ip_network(value))
        except ValueError:
            pass
        try:
            return ("." if value.startswith(".") else "") + parse_hostname(value.removeprefix("."))
        except ValueError:
            pass
    raise ValueError('must be a network like "192.0.2.0/24", a host name, or "." and a domain, like ".example.org"')


SENDER_FORMS = (
    'must be an address ("a@spam.example"), a domain ("@spam.example", or ".spam.example" with all domains below it) '
    'or a network ("192.0.2.0/24")'
)


def parse_blocked_sender(value: object) -> str:
    """Normalises an address, a domain (with or without `@`), `.` and a domain, or a network."""
    text = value.lower() if isinstance(value, str) else ""
    try:
        return str(ip_network(text))
    except ValueError:
        pass
    if "*" in text:
        raise ValueError(
            f'{SENDER_FORMS}; wildcards are not supported, "@spam.example" matches all addresses of the domain, and '
            '".spam.example" also those of all domains below it'
        )
    domain = text.rpartition("@")[2] if "@" in text else text.removeprefix(".")
    labels = domain.split(".")
    if text.count("@") > 1 or re.search(r"[\s/:]", text) or not all(labels) or labels[-1].isdigit():
        raise ValueError(SENDER_FORMS)
    return text


def parse_spf_terms(value: object) -> str:
    """Returns `include:`, `ip4:`, `ip6:`, `a:` and `mx:` terms of an SPF record, separated by spaces, or ""."""
    terms = value.lower().split() if isinstance(value, str) else ["?"]
    if not all(re.fullmatch(r"(?:include|ip4|ip6|a|mx):[a-z0-9_.:/-]{1,255}", term) for term in terms):
        raise ValueError('must be terms of an SPF record, like "include:spf.example.net" or "ip4:192.0.2.1"')
    return " ".join(terms)


def parse_path(value: object) -> Path:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value or re.search("[\0\r\n\ud800-\udfff]", value):  # or lone surrogates
        raise ValueError("must be the path of a file or directory")
    return Path(value)


def system_hostname() -> str:
    """Returns the system's host name, or `localhost` if that is not a valid DNS name.

    Does not query the DNS for the fully qualified name, because a query could take seconds.
    """
    try:
        return parse_hostname(socket.gethostname())
    except ValueError:
        return "localhost"


def parse_host(text: str) -> str | None:
    """Returns a host name or an IP address in its usual form; None if it is neither. IPv6 needs brackets."""
    try:
        if match := _BRACKETED.fullmatch(text):
            address = ip_address(match[1])
            return str(address) if address.version == 6 else None
        return str(ip_address(text)) if ":" not in text else None
    except ValueError:
        pass
    try:
        return parse_hostname(text)
    except ValueError:
        return None
