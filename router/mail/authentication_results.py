"""Renders the header field Authentication-Results, and reads whose results a field contains (RFC 8601). Pure.

Values of senders are untrusted: they are reduced to printable ASCII and quoted, so that they cannot end a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from router.mail.address import AddressError, domain_key
from router.mail.auth_results import AuthMethod, AuthResult
from router.mail.trace_headers import fold
from router.network import parse_address

FIELD_NAME = b"Authentication-Results"

_ORDER: tuple[AuthMethod, ...] = ("spf", "dkim", "dmarc", "iprev", "arc")
# More than any message has; only so that stored values cannot make the field long.
_MAX_RESULTS = 50
_MAX_VALUE_LENGTH = 253  # of a domain name
# A longer clause is folded between its properties.
_MAX_CLAUSE_LENGTH = 76
_NOT_PRINTABLE = re.compile(r"[^\x20-\x7e]")
_TOKEN = re.compile(r"[^\x00-\x20\x7f-\U0010ffff()<>@,;:\\\"/\[\]?=]+")
_NEEDS_QUOTED_PAIR = re.compile(r'(["\\])')

_BLANKS = re.compile(rb"[\x00-\x20\x7f]*")
_COMMENT_MARK = re.compile(rb"\\.|[()]", re.DOTALL)
_ID_TOKEN = re.compile(rb"[^\x00-\x20\x7f()<>@,;:\\\"/\[\]?=]+")
_ID_STRING = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)


def render(
    authserv_id: str, results: Sequence[AuthResult], *, mail_from: str, helo: str, peer: str, from_domain: str
) -> bytes:
    """Returns the field with CRLF line endings.

    Args:
        mail_from, helo, peer: The reverse-path (`""` for a null one), the name in HELO and the IP address of the peer.
        from_domain: The domain in From, for a result of DMARC without a domain.
    """
    clauses = [f"{_format_value(authserv_id)};"]
    ordered = sorted(results[:_MAX_RESULTS], key=lambda result: _ORDER.index(result.method))
    for n, result in enumerate(ordered, 1):
        words = [f"{result.method}={result.result}"]
        words += [f"{name}={_format_value(value)}" for name, value in _properties(result, mail_from, helo, from_domain)]
        if result.method == "iprev" and (address := parse_address(peer)) is not None:
            words.append(f"policy.iprev={_format_value(str(address))}")
        words[-1] += ";" if n < len(ordered) else ""
        clause = " ".join(words)
        clauses += [clause] if len(clause) <= _MAX_CLAUSE_LENGTH else words
    if not ordered:
        clauses.append("none")
    return "".join(f"{line}\r\n" for line in fold(f"{FIELD_NAME.decode()}:", clauses)).encode()


def _properties(result: AuthResult, mail_from: str, helo: str, from_domain: str) -> Iterator[tuple[str, str]]:
    """Yields the properties of a result with a value (RFC 8601 section 2.7)."""
    values: tuple[tuple[str, str], ...] = ()
    if result.method == "spf":
        sender = mail_from.rpartition("@")[2]
        values = (("smtp.mailfrom", result.domain or sender),) if sender else (("smtp.helo", result.domain or helo),)
    elif result.method == "dkim":
        values = (("header.d", result.domain), ("header.s", result.selector), ("header.b", result.signature))
    elif result.method == "dmarc":
        values = (("header.from", result.domain or from_domain),)
    yield from ((name, value) for name, value in values if value)


def _format_value(text: str) -> str:
    """Returns a token or a quoted string."""
    text = text[:_MAX_VALUE_LENGTH]
    if not text.isascii():
        text = normalize_id(text)
    # Characters are replaced, not removed: a name must not turn into a different one.
    text = _NOT_PRINTABLE.sub("?", text)[:_MAX_VALUE_LENGTH]
    return text if _TOKEN.fullmatch(text) else '"' + _NEEDS_QUOTED_PAIR.sub(r"\\\1", text) + '"'


def normalize_id(text: str) -> str:
    """Returns an authserv-id in lower case, with A-labels if it is a domain name: equal ids have equal results."""
    if len(text) > _MAX_VALUE_LENGTH + 1:
        return text.lower()
    try:
        return domain_key(text)
    except AddressError:
        return text.lower()


def read_authserv_id(value: bytes, *, is_complete: bool = True) -> tuple[str, int] | None:
    """Returns the normalised authserv-id at the start of a field's value, and where it ends.

    Args:
        value: The value without NUL characters; it may be folded.
        is_complete: Whether the value does not continue.

    Returns:
        None if no id can be read with certainty: there is none, a comment or a quoted string does not end, or the
        value begins with an encoded word.
    """
    start = skip_comments(value, 0)
    if start is None:
        return None
    match = _ID_STRING.match(value, start) or _ID_TOKEN.match(value, start)
    if match is None or (not is_complete and match.end() == len(value)) or value.startswith(b"=?", match.end()):
        return None
    data = match[0]
    if data.startswith(b'"'):
        data = _QUOTED_PAIR.sub(rb"\1", match[1]).replace(b"\r", b"").replace(b"\n", b"")
    return normalize_id(data.decode("utf-8", "replace")), match.end()


def skip_comments(value: bytes, start: int) -> int | None:
    """Returns where the white space and the comments end that begin at `start`; None if a comment does not end."""
    while True:
        match = _BLANKS.match(value, start)
        start = match.end() if match else start
        if not value.startswith(b"(", start):
            return start
        depth = 0
        for mark in _COMMENT_MARK.finditer(value, start):
            depth += {b"(": 1, b")": -1}.get(mark[0], 0)
            if depth == 0:
                start = mark.end()
                break
        else:
            return None
