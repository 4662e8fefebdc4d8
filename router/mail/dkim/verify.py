"""Verifies DKIM signatures (RFC 6376 section 6.1), with the words of RFC 8601 section 2.7.1.

Runs in the worker of `router.contents.pool`. Takes n log n time for any message, and never raises.

- `neutral`: the signature is malformed or not supported, or the message is too large.
- `temperror`: DNS did not answer.
- `permerror`: there is no usable key, or From is not signed.
- `fail`: the body, the signed fields or the signature were changed.
- `policy`: the signature is correct, but does not cover the whole message, has expired or is too weak.

A domain that tests DKIM (`t=y` in its key) has `pass` or `neutral`, so that errors never count against its messages.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from router.dns.answers import DnsAnswer
from router.mail.auth_results import AuthResult
from router.mail.dkim.canonicalization import (
    Algorithm,
    canonicalize_body,
    header_hash_input,
    read_message,
    select_fields,
)
from router.mail.dkim.key import DkimKey, KeyUnusable, find_key, load_public_key
from router.mail.dkim.signature import DkimSignature, read_signatures, results_without_keys, without_value
from router.model import Micros

# How far `t=` may be in the future. Clocks in a wrong time zone are common.
MAX_CLOCK_SKEW_SECONDS = 86400

_SIGNATURE_FIELD = b"dkim-signature"
# Fields of which a message may have only one (RFC 5322 section 3.6, RFC 2045). If there are more, programs display
# the first, but a signature covers the last (RFC 6376 section 8.15).
_SINGLE_FIELDS = {
    name.lower().encode(): name
    for name in (
        *("From", "Sender", "Reply-To", "To", "Cc", "Subject", "Date", "Message-ID", "In-Reply-To", "References"),
        *("Content-Type", "Content-Transfer-Encoding"),
    )
}


def verify(
    content: bytes, from_domain: str, keys: Mapping[str, DnsAnswer], received_at: Micros
) -> tuple[AuthResult, ...]:
    """Returns the results of the signatures that `read_signatures` returns, or one result `none`.

    Args:
        from_domain: The domain of From, "" if unknown.
        keys: The answers for TXT records by `DkimSignature.key_name`. A missing one counts as not received in time.
        received_at: When the message was received, for signatures that expire.
    """
    signatures = read_signatures(content, from_domain)
    results = results_without_keys(signatures)
    if results is not None:
        return results
    verification = _Verification(content, received_at)
    return tuple(
        signature.fault or verification.verify(signature, keys.get(signature.key_name)) for signature in signatures
    )


class _Verification:
    """The verification of the signatures of one message, which share the canonical bodies and their hashes."""

    def __init__(self, content: bytes, received_at: Micros) -> None:
        self._message = read_message(content)
        self._received_at = received_at / 1_000_000
        self._field_counts = Counter(field.name for field in self._message.fields)
        self._bodies: dict[Algorithm, bytes] = {}
        self._hashes: dict[tuple[Algorithm, int | None], bytes] = {}

    def verify(self, signature: DkimSignature, answer: DnsAnswer | None) -> AuthResult:
        try:
            key = find_key(answer)
        except KeyUnusable as error:
            return signature.result(error.word, str(error))
        result = self._verify_with_key(signature, key)
        if not key.is_test:
            return result
        reason = "the domain tests DKIM (t=y)"
        if result.result == "pass":
            return signature.result("pass", reason)
        return signature.result("neutral", f"{reason}: {result.reason}")

    def _verify_with_key(self, signature: DkimSignature, key: DkimKey) -> AuthResult:
        try:
            public_key = load_public_key(key, signature)
        except KeyUnusable as error:
            return signature.result(error.word, str(error))
        body_length = len(self._body(signature.body_algorithm))
        if signature.body_length is not None and signature.body_length > body_length:
            return signature.result("fail", "the body is shorter than l=")
        if self._body_hash(signature) != signature.body_hash:
            return signature.result("fail", "the body was changed after signing")
        if not self._is_signed_by(public_key, signature):
            return signature.result("fail", "the header or the signature was changed after signing")
        objection = self._find_objection(signature, body_length)
        return signature.result("policy" if objection else "pass", objection)

    def _is_signed_by(self, public_key: RSAPublicKey | Ed25519PublicKey, signature: DkimSignature) -> bool:
        own = [field for field in self._message.fields if field.name == _SIGNATURE_FIELD][signature.index]
        # `h=` may name other signatures, never its own (RFC 6376 section 3.5).
        others = [field for field in self._message.fields if field is not own]
        fields = select_fields(others, signature.signed_names)
        data = header_hash_input(fields, without_value(own), signature.header_algorithm)
        digest = hashlib.sha256(data).digest()
        try:
            if isinstance(public_key, RSAPublicKey):
                public_key.verify(signature.value, digest, PKCS1v15(), Prehashed(SHA256()))
            else:
                public_key.verify(signature.value, digest)  # RFC 8463 section 3
        except (InvalidSignature, ValueError):
            return False
        return True

    def _find_objection(self, signature: DkimSignature, body_length: int) -> str:
        """Returns why a correct signature is not a pass, "" if it is one."""
        if signature.body_length is not None and signature.body_length < body_length:
            return "only the start of the body is signed (l=)"
        signed = Counter(signature.signed_names)
        for name, displayed in _SINGLE_FIELDS.items():
            if 0 < signed[name] < self._field_counts[name]:
                return f"the message has a further {displayed} field that is not signed"
        if signature.expires_at is not None and signature.expires_at < self._received_at:
            return "the signature had expired when the message was received"
        if signature.signed_at is not None and signature.signed_at > self._received_at + MAX_CLOCK_SKEW_SECONDS:
            return "the signature is dated in the future"
        return ""

    def _body(self, algorithm: Algorithm) -> bytes:
        if algorithm not in self._bodies:
            self._bodies[algorithm] = canonicalize_body(self._message.body, algorithm)
        return self._bodies[algorithm]

    def _body_hash(self, signature: DkimSignature) -> bytes:
        algorithm, length = signature.body_algorithm, signature.body_length
        if (algorithm, length) not in self._hashes:
            signed = memoryview(self._body(algorithm))[:length]
            self._hashes[algorithm, length] = hashlib.sha256(signed).digest()
        return self._hashes[algorithm, length]
