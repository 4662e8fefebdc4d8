"""Private keys of DKIM: makes, reads and publishes them (RFC 6376 section 3.6.1, RFC 8463 section 4)."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from router.enumerations import DkimAlgorithm

RSA_BITS = 2048
"""RFC 8301 section 3.2. Longer keys do not fit in the replies of some DNS servers over UDP."""
_PUBLIC_EXPONENT = 65537


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A key that signs, and the name under which its public key is published."""

    domain: str
    selector: str
    algorithm: DkimAlgorithm
    key: RSAPrivateKey | Ed25519PrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class GeneratedKey:
    """A new key.

    Attributes:
        private_pem: PKCS #8, not encrypted: seal it before it is stored.
        public_value: The value of `p=` in the record.
    """

    private_pem: str = field(repr=False)
    public_value: str


def generate(algorithm: DkimAlgorithm) -> GeneratedKey:
    """Makes a new key. RSA takes some 100 ms, so call it in a thread."""
    key = generate_private_key(_PUBLIC_EXPONENT, RSA_BITS) if algorithm == "rsa" else Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
    return GeneratedKey(pem, public_value(key))


def load(domain: str, selector: str, algorithm: DkimAlgorithm, pem: str) -> PrivateKey:
    """Reads a key that `generate` made.

    Raises:
        ValueError: The text is not a key of this algorithm.
    """
    try:
        key = load_pem_private_key(pem.encode("ascii"), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("the private key is malformed") from None  # the original error may quote the key
    if not isinstance(key, RSAPrivateKey if algorithm == "rsa" else Ed25519PrivateKey):
        raise ValueError(f"the private key is not of the type {algorithm}")  # noqa: TRY004 - the text is wrong
    return PrivateKey(domain, selector, algorithm, key)


def public_value(key: RSAPrivateKey | Ed25519PrivateKey) -> str:
    """Returns the value of `p=` in the record of a key."""
    if isinstance(key, RSAPrivateKey):
        data = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    else:
        data = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return base64.b64encode(data).decode("ascii")


def record_name(domain: str, selector: str) -> str:
    return f"{selector}._domainkey.{domain}"


def record_text(algorithm: DkimAlgorithm, value: str) -> str:
    """Returns the TXT record of a key. `value` is that of `p=`."""
    return f"v=DKIM1; k={algorithm}; p={value}"
