"""Reads DKIM keys from the answers of DNS (RFC 6376 sections 3.6.1 and 6.1.2)."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from router.dns.answers import AnswerFault, DnsAnswer
from router.mail.auth_results import AuthWord
from router.mail.dkim.signature import DkimSignature
from router.mail.dkim.tag_list import TagListError, decode_base64, parse_colon_list, parse_tags

# Records of an answer, and bytes of a record. Real names have one record, of 800 bytes for a key of 4096 bits.
MAX_RECORDS = 10
MAX_RECORD_BYTES = 8192
MIN_RSA_BITS = 1024  # RFC 8301 section 3.2
# A verification takes time by the square of the length.
MAX_RSA_BITS = 8192

_DNS_FAULTS: dict[AnswerFault, str] = {
    "": "the DNS query for the key failed",
    "timeout": "the DNS query for the key timed out",
    "refused": "the DNS server did not answer the query for the key",
    "malformed": "the DNS response with the key is malformed",
    "limit": "too many DNS queries for one message",
}


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A key record.

    Attributes:
        type: `k=`, not necessarily a supported one.
        data: The bytes of `p=`.
        hashes: `h=`, None if all are allowed.
        for_mail: Whether `s=` allows mail.
        is_test: `t=y`: the domain tests DKIM.
        is_exact: `t=s`: `i=` must not be below `d=`.
    """

    type: str
    data: bytes
    hashes: tuple[str, ...] | None
    for_mail: bool
    is_test: bool
    is_exact: bool


class KeyUnusable(Exception):  # noqa: N818 - describes a key, not a fault
    """There is no key that fits the signature. `word` is the result of the signature, the text is the reason."""

    def __init__(self, reason: str, word: AuthWord = "permerror") -> None:
        super().__init__(reason)
        self.word = word


def find_key(answer: DnsAnswer | None) -> DkimKey:
    """Returns the key of an answer.

    Other TXT records at the name are ignored. Several keys are an error: section 3.6.2.2 leaves the result undefined,
    and trying each would let a message cost a multiple of its signatures.

    Args:
        answer: None if the question was not asked in time.

    Raises:
        KeyUnusable: DNS did not answer, or there is not exactly one key.
    """
    if answer is None or answer.status == "failed":
        raise KeyUnusable(_DNS_FAULTS[answer.fault if answer else "timeout"], "temperror")
    if answer.status != "found":
        raise KeyUnusable("there is no key")
    keys: list[DkimKey] = []
    reason = "the key record is malformed"
    for record in answer.values[:MAX_RECORDS]:
        try:
            keys.append(parse_key(record))
        except TagListError as error:
            reason = f"the key record is malformed: {error}"
    if len(keys) > 1:
        raise KeyUnusable("there are several keys")
    if not keys:
        raise KeyUnusable(reason)
    return keys[0]


def parse_key(record: str) -> DkimKey:
    """Parses the record of a key, or of a key that was revoked.

    Raises:
        TagListError: The record is malformed, or not a DKIM key.
    """
    if len(record) > MAX_RECORD_BYTES:
        raise TagListError(f"it is larger than {MAX_RECORD_BYTES // 1024} kB")
    tags = parse_tags(record.encode("latin-1", "replace"))
    if "v" in tags and (next(iter(tags)) != "v" or tags["v"] != "DKIM1"):
        raise TagListError("it does not begin with v=DKIM1")
    if "p" not in tags:
        raise TagListError("it has no p=")
    flags = parse_colon_list(tags.get("t", ""))
    services = parse_colon_list(tags.get("s", "*"))
    return DkimKey(
        type=tags.get("k", "rsa"),
        data=decode_base64(tags["p"], "p"),
        hashes=tuple(parse_colon_list(tags["h"])) if "h" in tags else None,
        for_mail="*" in services or "email" in services,
        is_test="y" in flags,
        is_exact="s" in flags,
    )


def load_public_key(key: DkimKey, signature: DkimSignature) -> RSAPublicKey | Ed25519PublicKey:
    """Returns the public key.

    Raises:
        KeyUnusable: The key is invalid, revoked or too short, or must not be used for the signature.
    """
    if not key.for_mail:
        raise KeyUnusable("the key is not for mail")
    if key.hashes is not None and "sha256" not in key.hashes:
        raise KeyUnusable("the key does not allow SHA-256")
    if key.type != signature.key_type:
        raise KeyUnusable("the key has another type than the signature")
    if not key.data:
        raise KeyUnusable("the key was revoked")
    if key.is_exact and signature.identity_domain != signature.domain:
        raise KeyUnusable("the key does not allow a subdomain in i=")
    try:
        if key.type == "ed25519":
            return Ed25519PublicKey.from_public_bytes(key.data)  # RFC 8463 section 4
        public_key = load_der_public_key(key.data)
    except (ValueError, UnsupportedAlgorithm):
        raise KeyUnusable("the key is invalid") from None
    if not isinstance(public_key, RSAPublicKey):
        raise KeyUnusable("the key is invalid")
    if not MIN_RSA_BITS <= public_key.key_size <= MAX_RSA_BITS:
        raise KeyUnusable(f"the key has {public_key.key_size} bits, not {MIN_RSA_BITS} to {MAX_RSA_BITS}", "policy")
    return public_key
