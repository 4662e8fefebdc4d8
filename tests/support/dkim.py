"""Signs messages with DKIM, with any tags, and judges them with dkimpy."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

import dkim
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from router.dns.answers import DnsAnswer
from router.mail.auth_results import AuthResult
from router.mail.dkim.canonicalization import (
    Algorithm,
    SignableField,
    canonicalize_body,
    header_hash_input,
    read_message,
    select_fields,
)
from router.mail.dkim.signature import read_signatures
from router.mail.dkim.verify import verify

DOMAIN, SELECTOR = "example.com", "s1"
KEY_NAME = f"{SELECTOR}._domainkey.{DOMAIN}"
SIGNED_AT = 1_700_000_000
RECEIVED_AT = (SIGNED_AT + 60) * 1_000_000
MAIL = (
    b"From: Ada <ada@example.com>\r\nTo: support@example.net\r\nSubject: The  parcel\r\n"
    b"Date: Tue, 14 Nov 2023 22:13:20 +0000\r\nMessage-ID: <1@example.com>\r\n\r\nIt is  open. \r\n\r\n\r\n"
)

KeyType = Literal["rsa", "ed25519"]


@dataclass(frozen=True)
class SigningKey:
    private: RSAPrivateKey | Ed25519PrivateKey

    @property
    def record(self) -> str:
        public = self.private.public_key()
        if isinstance(self.private, RSAPrivateKey):
            data = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            return f"v=DKIM1; k=rsa; p={base64.b64encode(data).decode()}"
        data = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return f"v=DKIM1; k=ed25519; p={base64.b64encode(data).decode()}"

    @property
    def pem(self) -> bytes:
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())

    def sign(self, data: bytes) -> bytes:
        if isinstance(self.private, RSAPrivateKey):
            return self.private.sign(data, PKCS1v15(), SHA256())
        return self.private.sign(hashlib.sha256(data).digest())


@cache
def signing_key(key_type: KeyType = "rsa", bits: int = 1024) -> SigningKey:
    return SigningKey(generate_private_key(65537, bits) if key_type == "rsa" else Ed25519PrivateKey.generate())


def sign(content: bytes, key: SigningKey, changes: Mapping[str, str | None] | None = None, *, fold: str = " ") -> bytes:
    """Returns the message with a signature on top.

    Args:
        changes: Tags that replace the usual ones; None omits a tag. `h=` and `c=` select what is signed, and `l=` how
            much of the body.
    """
    tags: dict[str, str | None] = {
        "v": "1",
        "a": "rsa-sha256" if isinstance(key.private, RSAPrivateKey) else "ed25519-sha256",
        "c": "relaxed/relaxed",
        "d": DOMAIN,
        "s": SELECTOR,
        "t": str(SIGNED_AT),
        "h": "from:to:subject:date:message-id",
        "bh": "",
        "b": "",
    }
    message = read_message(content)
    header_algorithm, body_algorithm = _algorithms((changes or {}).get("c", "relaxed/relaxed") or "simple")
    body = canonicalize_body(message.body, body_algorithm)
    length = (changes or {}).get("l")
    tags["bh"] = _base64(hashlib.sha256(body[: int(length)] if length and length.isdecimal() else body).digest())
    tags |= changes or {}
    given = {name: value for name, value in tags.items() if value is not None}
    names = [name.strip().lower().encode() for name in given.get("h", "").split(":")]
    field = _field(given, fold)
    data = header_hash_input(
        select_fields(message.fields, names), SignableField(b"dkim-signature", field), header_algorithm
    )
    if not given.get("b") and "b" in given:
        field = _field({**given, "b": _base64(key.sign(data))}, fold)
    return field + b"\r\n" + content


def judge(content: bytes, record: str) -> bool:
    """Returns whether dkimpy accepts the first signature."""
    try:
        return bool(dkim.verify(content, dnsfunc=lambda *_, **__: record.encode("latin-1")))
    except dkim.DKIMException:
        return False


def check(
    content: bytes, *records: str, from_domain: str = DOMAIN, received_at: int = RECEIVED_AT
) -> tuple[AuthResult, ...]:
    """Verifies all signatures with the same key records."""
    names = [signature.key_name for signature in read_signatures(content, from_domain)]
    return verify(content, from_domain, dict.fromkeys(names, DnsAnswer("found", records)), received_at)


def _algorithms(value: str) -> tuple[Algorithm, Algorithm]:
    header, _, body = value.partition("/")
    return "relaxed" if header == "relaxed" else "simple", "relaxed" if body == "relaxed" else "simple"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _field(tags: Mapping[str, str], fold: str) -> bytes:
    return f"DKIM-Signature: {(';' + fold).join(f'{name}={value}' for name, value in tags.items())}".encode()
