"""Reads the results that a relay reports in its own Authentication-Results fields (RFC 8601). Pure.

Only the caller knows whether the relay handed the message on and removes forged fields. All texts are bounded, and
none of a sender is kept except names of domains and of selectors.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import cast, get_args

from router.mail.address import AddressError, domain_key
from router.mail.auth_results import AuthMethod, AuthResult, AuthWord
from router.mail.authentication_results import FIELD_NAME, normalize_id, read_authserv_id
from router.mail.headers import find_header_block

# Fields of one relay: one for each of its filters.
_MAX_FIELDS = 10
_MAX_VALUE_BYTES = 16 * 1024
_MAX_RESULTS = 20
_METHODS = frozenset(get_args(AuthMethod))
_WORDS = {**{word: word for word in get_args(AuthWord)}, "hardfail": "fail"}  # RFC 7601 section 2.7.2
# By method, the properties that name a domain, best first.
_DOMAIN_PROPERTIES: dict[AuthMethod, tuple[str, ...]] = {
    "spf": ("smtp.mailfrom", "smtp.helo"),
    "dkim": ("header.d", "header.i"),
    "dmarc": ("header.from",),
}
_MARK = re.compile(r'\\.|["();]', re.DOTALL)
_PAIR = re.compile(
    r'(?<![a-z0-9.-])([a-z][a-z0-9.-]*)(?:\s*/\s*[0-9]+)?\s*=\s*("(?:[^"\\]|\\.)*"|[^\s"]+)', re.IGNORECASE | re.DOTALL
)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_DOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_SIGNATURE = re.compile(r"[A-Za-z0-9+/=]{1,8}")


def read_relay_results(content: bytes, authserv_ids: Collection[str]) -> tuple[AuthResult, ...]:
    """Returns the results in the topmost field with one of the ids, and in those directly below it.

    A method that a higher field reports is not read in lower ones. Methods and words that we do not know are left out.

    Args:
        content: The message, or its beginning.
    """
    ids = frozenset(map(normalize_id, authserv_ids))
    found: list[AuthResult] = []
    count = 0
    for name, folded in _fields(find_header_block(content).data):
        value = folded.replace(b"\x00", b"")[:_MAX_VALUE_BYTES]
        authserv_id = read_authserv_id(value) if name == FIELD_NAME.lower() else None
        if authserv_id is None or authserv_id[0] not in ids:
            if count:
                break
            continue
        count += 1
        known = {result.method for result in found}
        sections = _split(value[authserv_id[1] :].decode("utf-8", "replace"))[1 : _MAX_RESULTS + 1]
        results = (_read_result(section, authserv_id[0]) for section in sections)
        found += [result for result in results if result is not None and result.method not in known]
        if count == _MAX_FIELDS:
            break
    return tuple(found[:_MAX_RESULTS])


def _fields(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yields the lower-case name and the folded value of each field, from the top."""
    lines: list[bytes] = []
    for line in [*block.split(b"\n"), b""]:
        if line[:1] in (b" ", b"\t") and lines:
            lines.append(line)
            continue
        if lines:
            name, colon, value = lines[0].partition(b":")
            if colon:
                yield name.rstrip().lower(), b"\n".join([value, *lines[1:]])
        lines = [line]


def _split(text: str) -> list[str]:
    """Splits at semicolons outside comments and quoted strings, and removes the comments."""
    sections: list[str] = []
    pieces: list[str] = []
    start = depth = 0
    is_quoted = False
    for match in _MARK.finditer(text):
        mark = match[0]
        if is_quoted:
            is_quoted = mark != '"'
        elif depth:
            depth += {"(": 1, ")": -1}.get(mark, 0)
            start = match.end()
        elif mark == '"':
            is_quoted = True
        elif mark == "(":
            pieces.append(text[start : match.start()] + " ")
            depth = 1
        elif mark == ";":
            sections.append("".join([*pieces, text[start : match.start()]]))
            pieces, start = [], match.end()
    return [*sections, "".join([*pieces, "" if depth else text[start:]])]


def _read_result(section: str, authserv_id: str) -> AuthResult | None:
    pairs = [(name.lower(), _unquote(value)) for name, value in _PAIR.findall(section)]
    if not pairs:
        return None
    (name, text), *others = pairs
    word = _WORDS.get(text.lower())
    if name not in _METHODS or word is None:
        return None
    method = cast("AuthMethod", name)
    properties = dict(reversed(others))  # the first of equal names
    domains = (_read_domain(properties.get(key, "")) for key in _DOMAIN_PROPERTIES.get(method, ()))
    signature = _SIGNATURE.match(properties.get("header.b", "")) if method == "dkim" else None
    return AuthResult(
        method,
        cast("AuthWord", word),
        next(filter(None, domains), ""),
        _read_domain(properties.get("header.s", "")) if method == "dkim" else "",
        f"reported by {authserv_id}",
        signature[0] if signature else "",
    )


def _unquote(value: str) -> str:
    return _QUOTED_PAIR.sub(r"\1", value[1:-1]) if value.startswith('"') else value


def _read_domain(text: str) -> str:
    """Returns a domain name, or that of an address, in A-labels; `""` for other texts."""
    name = text.rpartition("@")[2].strip("<> ")
    try:
        name = domain_key(name) if len(name) <= 253 else ""
    except AddressError:
        return ""
    return name if _DOMAIN.fullmatch(name) else ""
