"""Validation and masking of webhook URLs.

A webhook URL is a secret: anyone who has it can post. Errors and masked URLs never contain its path.
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

import idna

from router.outbound.addresses import non_public_reason
from router.unicode_text import has_long_marks

MAX_URL_LENGTH = 1000
_WHITESPACE = re.compile(r"[\s\x00-\x20\x7f-\xa0]")
_URL_CHARACTERS = re.compile(r"[\x21-\x7e]+")
# Special-use domains (RFC 6761, 6762, 8375) and the one that ICANN reserves for private networks.
_PRIVATE_DOMAINS = (".localhost", ".test", ".example", ".invalid", ".local", ".home.arpa", ".internal")
_HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?")


def parse_webhook_url(value: str, *, allow_private: bool, path_required: bool = True) -> str:
    """Returns the URL in ASCII, with a path. `allow_private` also allows `http://` and non-public addresses.

    Host names are not resolved here: the HTTP client checks each address when it connects.

    Raises:
        ValueError: The URL is invalid; the text says why.
    """
    text = value.strip()
    if len(text) > MAX_URL_LENGTH:
        raise ValueError(f"it must have at most {MAX_URL_LENGTH} characters")
    if _WHITESPACE.search(text):  # `urlsplit` removes some of these characters silently
        raise ValueError("it must not contain spaces or control characters")
    parts, port = _split_url(text)
    if parts.scheme not in ("https", "http"):
        raise ValueError("it must start with https://")
    if parts.scheme == "http" and not allow_private:
        raise ValueError("it must start with https:// (http:// requires [delivery] allow_private_networks)")
    if "@" in parts.netloc:
        raise ValueError("it must not contain a user name or password")
    if "#" in text:
        raise ValueError("it must not contain a fragment (#...)")
    if port == 0:
        raise ValueError("the host or port is not valid")
    netloc = _normalize_host(parts.hostname or "", allow_private=allow_private)
    path = text.partition("://")[2][len(parts.netloc) :]
    path = path if path.startswith("/") else f"/{path}"
    if path == "/" and path_required:
        raise ValueError("it has no path; copy the complete URL")
    if not _URL_CHARACTERS.fullmatch(path) or set(path) & set('"<>\\^`{|}'):
        raise ValueError("the path may contain only ASCII URL characters; percent-encode all other characters")
    url = f"{parts.scheme}://{netloc}{'' if port is None else f':{port}'}{path}"
    if len(url) > MAX_URL_LENGTH:  # A-labels can be longer than the original host name
        raise ValueError(f"it must have at most {MAX_URL_LENGTH} characters")
    return url


def has_private_host(url: str) -> bool:
    """Whether the host of a valid URL is a non-public address, or a name that the public DNS does not have."""
    host = (urlsplit(url).hostname or "").removesuffix(".")
    try:
        return non_public_reason(host) is not None
    except ValueError:
        return "." not in host or host.endswith(_PRIVATE_DOMAINS)


def mask_url(url: str) -> str:
    """Returns the host and up to four final characters of the path, as in `https://hooks.slack.com/…/abcd`.

    A URL that is only a host is returned unchanged.
    """
    parts = urlsplit(url)
    if parts.path in ("", "/") and not parts.query:
        return url
    secret = url.rpartition("/")[2]
    return f"{parts.scheme}://{parts.netloc}/\u2026/{secret[-min(4, len(secret) // 2) :] if secret[1:] else ''}"


def _split_url(text: str) -> tuple[SplitResult, int | None]:
    """Returns the parts and the port."""
    if has_long_marks(text):  # Unicode normalisation takes quadratic time for long sequences of marks
        raise ValueError("the host name is not valid")
    try:
        parts = urlsplit(text)
        return parts, parts.port
    except ValueError:
        raise ValueError("the host or port is not valid") from None


def _normalize_host(host: str, *, allow_private: bool) -> str:
    """Returns the host in ASCII, IPv6 addresses in brackets."""
    if not host:
        raise ValueError("it has no host name")
    try:
        non_public = non_public_reason(host)
    except ValueError:
        non_public = None
    else:
        if non_public is not None and not allow_private:
            raise ValueError(f"the address {host} is {non_public}; only public addresses are allowed")
        return f"[{host}]" if ":" in host else host
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except idna.IDNAError:
            raise ValueError("the host name is not valid") from None
    if not _HOST_NAME.fullmatch(host) or len(host) > 253 or ".." in host:
        raise ValueError("the host name is not valid")
    return host
