"""Reads the DKIM-Signature fields of a message (RFC 6376 section 3.5, RFC 8616 for U-labels).

`read_signatures` may run on the event loop: it never raises, takes linear time, and reads a bounded number of fields.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from router.mail.address import AddressError, domain_key
from router.mail.auth_results import AuthResult, AuthWord
from router.mail.dkim.canonicalization import MAX_HEADER_BYTES, Algorithm, SignableField
from router.mail.dkim.tag_list import TagListError, decode_base64, parse_colon_list, parse_tags
from router.mail.headers import HEADER_TOO_LARGE, find_header_block

# Each may cost a DNS question, and a hash of the message.
MAX_SIGNATURES = 5
# DKIM-Signature fields, from the top, of which `MAX_SIGNATURES` are selected: bounds the time on the event loop.
MAX_CANDIDATES = 20
# Bytes of a message that is verified: bounds the time and memory of a worker.
MAX_BYTES = 10 * 1024 * 1024
# Bytes of one field. Real ones have about 1 kB; one that names a field of the header 1,000 times fits.
MAX_SIGNATURE_BYTES = 32768

# Characters of a name in DNS, without the trailing dot (RFC 1035 section 2.3.4).
_MAX_NAME_LENGTH = 253
_FIELD = re.compile(rb"^dkim-signature[ \t\r\x0b\x0c]*:", re.IGNORECASE | re.MULTILINE)
_FIELD_END = re.compile(rb"\n(?![ \t])")
_B_TAG = re.compile(rb"(?:\A|;)[ \t\r\n]*b[ \t\r\n]*=([^;]*)")
_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*")
_FIELD_NAME = re.compile(r"[!-9<-~]+")
_SECONDS = re.compile(r"[0-9]{1,12}")
_LENGTH = re.compile(r"[0-9]{1,76}")
_HASH_BYTES = 32
_PREFIX = re.compile(r"[A-Za-z0-9+/=]{1,8}")
_KEY_TYPES = {"rsa-sha256": "rsa", "ed25519-sha256": "ed25519"}


@dataclass(frozen=True, slots=True)
class DkimSignature:
    """A DKIM-Signature field.

    Attributes:
        index: The position among the DKIM-Signature fields of the message, from the top.
        domain: `d=` in A-labels and lower case, "" if malformed.
        selector: `s=` in A-labels and lower case, "" if malformed.
        prefix: The first 8 characters of `b=`.
        fault: The result of a signature that is not verified, because it is malformed or not supported.
        key_type: `rsa` or `ed25519`.
        signed_names: `h=` in lower case.
        identity_domain: The domain of `i=`.
        body_length: `l=` in bytes.
        signed_at, expires_at: `t=` and `x=` in seconds since the epoch.
    """

    index: int
    domain: str = ""
    selector: str = ""
    prefix: str = ""
    fault: AuthResult | None = None
    key_type: str = ""
    header_algorithm: Algorithm = "simple"
    body_algorithm: Algorithm = "simple"
    signed_names: tuple[bytes, ...] = ()
    body_hash: bytes = b""
    value: bytes = b""
    identity_domain: str = ""
    body_length: int | None = None
    signed_at: int | None = None
    expires_at: int | None = None

    @property
    def key_name(self) -> str:
        """The name whose TXT records contain the key; "" if no key is needed."""
        return "" if self.fault else f"{self.selector}._domainkey.{self.domain}"

    def result(self, word: AuthWord, reason: str = "") -> AuthResult:
        return AuthResult("dkim", word, self.domain, self.selector, reason, self.prefix)


class _Unusable(Exception):  # noqa: N818 - describes a signature
    """The signature cannot be verified. `word` is its result, the text is the reason."""

    def __init__(self, reason: str, word: AuthWord = "neutral") -> None:
        super().__init__(reason)
        self.word = word


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A field of which only the domain is read, by which the signatures are selected."""

    index: int
    tags: Mapping[str, str] = field(default_factory=dict)
    domain: str = ""
    fault: str = ""


def read_signatures(content: bytes, from_domain: str) -> tuple[DkimSignature, ...]:
    """Returns no more than `MAX_SIGNATURES` signatures.

    Those whose domain is equal to, above or below the domain of From come first, then the others from the top.

    Args:
        from_domain: The domain of From, "" if unknown.
    """
    block = find_header_block(content, MAX_HEADER_BYTES)
    fields = islice(_FIELD.finditer(block.data), MAX_CANDIDATES)
    candidates = [_read_candidate(index, block.data, match.end()) for index, match in enumerate(fields)]
    try:
        from_domain = domain_key(from_domain)
    except AddressError:
        from_domain = ""
    candidates.sort(key=lambda candidate: not _is_related(candidate.domain, from_domain))
    found = tuple(map(_read, candidates[:MAX_SIGNATURES]))
    if len(content) > MAX_BYTES:
        return tuple(replace(each, fault=each.result("neutral", "too large")) for each in found)
    if HEADER_TOO_LARGE in block.warnings:
        return tuple(replace(each, fault=each.result("neutral", "the header is too large")) for each in found)
    return found


def results_without_keys(signatures: Sequence[DkimSignature]) -> tuple[AuthResult, ...] | None:
    """Returns the results if no signature needs a key, else None. A message without signatures has one result."""
    faults = tuple(signature.fault for signature in signatures if signature.fault)
    if len(faults) < len(signatures):
        return None
    return faults or (AuthResult("dkim", "none", reason="the message is not signed"),)


def without_value(signature: SignableField) -> SignableField:
    """Returns a DKIM-Signature field with an empty `b=` (RFC 6376 section 3.7)."""
    name, colon, value = signature.raw.partition(b":")
    match = _B_TAG.search(value)
    if match is not None:
        value = value[: match.start(1)] + value[match.end(1) :]
    return SignableField(signature.name, name + colon + value)


def _is_related(domain: str, other: str) -> bool:
    if not domain or not other:
        return False
    return domain == other or domain.endswith(f".{other}") or other.endswith(f".{domain}")


def _read_candidate(index: int, header: bytes, start: int) -> _Candidate:
    match = _FIELD_END.search(header, start)
    end = match.start() if match else len(header)
    value = header[start:end].removesuffix(b"\r")
    if len(value) > MAX_SIGNATURE_BYTES:
        return _Candidate(index, fault=f"the signature is larger than {MAX_SIGNATURE_BYTES // 1024} kB")
    try:
        tags = parse_tags(value.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    except TagListError as error:
        return _Candidate(index, fault=str(error))
    return _Candidate(index, tags, _read_name(tags.get("d", "")))


def _read(candidate: _Candidate) -> DkimSignature:
    tags = candidate.tags
    signature = DkimSignature(
        candidate.index, candidate.domain, _read_name(tags.get("s", "")), _read_prefix(tags.get("b", ""))
    )
    try:
        if candidate.fault:
            raise _Unusable(candidate.fault)
        return _read_tags(signature, tags)
    except TagListError as error:
        return replace(signature, fault=signature.result("neutral", str(error)))
    except _Unusable as error:
        return replace(signature, fault=signature.result(error.word, str(error)))


def _read_tags(signature: DkimSignature, tags: Mapping[str, str]) -> DkimSignature:
    for tag in ("v", "a", "b", "bh", "d", "h", "s"):
        if tag not in tags:
            raise _Unusable(f"the signature has no {tag}=")
    if tags["v"] != "1":
        raise _Unusable("the version of the signature is not 1")
    if not signature.selector:
        raise _Unusable("s= is not a selector")
    if "." not in signature.domain:
        raise _Unusable("d= is not a domain")
    if "dns/txt" not in parse_colon_list(tags.get("q", "dns/txt")):
        raise _Unusable("q= has no supported method")
    names = _read_field_names(tags["h"])
    header_algorithm, body_algorithm = _read_algorithms(tags.get("c", "simple/simple"))
    signed_at, expires_at = (_read_number(tags, tag, _SECONDS) for tag in ("t", "x"))
    if signed_at is not None and expires_at is not None and expires_at <= signed_at:
        raise _Unusable("x= is not after t=")
    value, body_hash = decode_base64(tags["b"], "b"), decode_base64(tags["bh"], "bh")
    if not value:
        raise _Unusable("b= is empty")
    identity_domain = _read_identity_domain(tags.get("i", f"@{signature.domain}"), signature.domain)
    body_length = _read_number(tags, "l", _LENGTH)
    if tags["a"] == "rsa-sha1":
        raise _Unusable("SHA-1 is not accepted", "policy")  # RFC 8301 section 3.1
    if tags["a"] not in _KEY_TYPES:
        raise _Unusable("a= is not a supported algorithm")
    if len(body_hash) != _HASH_BYTES:
        raise _Unusable("bh= is not a SHA-256 hash")
    if b"from" not in names:
        raise _Unusable("From is not signed", "permerror")  # RFC 6376 section 6.1.1
    return replace(
        signature,
        key_type=_KEY_TYPES[tags["a"]],
        header_algorithm=header_algorithm,
        body_algorithm=body_algorithm,
        signed_names=names,
        body_hash=body_hash,
        value=value,
        identity_domain=identity_domain,
        body_length=body_length,
        signed_at=signed_at,
        expires_at=expires_at,
    )


def _read_name(text: str) -> str:
    """Returns a domain or selector in A-labels, "" if malformed."""
    if len(text) > _MAX_NAME_LENGTH or text.endswith("."):
        return ""
    try:
        name = domain_key(text)
    except AddressError:
        return ""
    return name if len(name) <= _MAX_NAME_LENGTH and _NAME.fullmatch(name) else ""


def _read_prefix(value: str) -> str:
    match = _PREFIX.match("".join(value[:1000].split()))
    return match[0] if match else ""


def _read_field_names(value: str) -> tuple[bytes, ...]:
    names = parse_colon_list(value)
    if not all(_FIELD_NAME.fullmatch(name) for name in names):
        raise _Unusable("h= has an invalid field name")
    return tuple(name.lower().encode("ascii") for name in names)


def _read_algorithms(value: str) -> tuple[Algorithm, Algorithm]:
    header, _, body = value.partition("/")
    return _read_algorithm(header), _read_algorithm(body or "simple")


def _read_algorithm(word: str) -> Algorithm:
    if word == "simple":
        return "simple"
    if word == "relaxed":
        return "relaxed"
    raise _Unusable("c= is not a supported canonicalization")


def _read_number(tags: Mapping[str, str], tag: str, pattern: re.Pattern[str]) -> int | None:
    text = tags.get(tag)
    if text is None:
        return None
    if not pattern.fullmatch(text):
        raise _Unusable(f"{tag}= is not a number")
    return int(text)


def _read_identity_domain(identity: str, domain: str) -> str:
    """Returns the domain of `i=`, which must be the signing domain or below it."""
    _, at, text = identity.rpartition("@")
    found = _read_name(text)
    if not at or not found:
        raise _Unusable("i= is not an address")
    if found != domain and not found.endswith(f".{domain}"):
        raise _Unusable("i= is not in the domain of d=")
    return found
