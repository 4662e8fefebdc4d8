"""Encryption of secrets at rest, and hashing of API keys and passwords.

An encrypted text can be decrypted only with the secret key and for the same purpose. Secrets never appear in logs or
error messages.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidKey
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_FILE = "secret_key"
INTEGRATION_PURPOSE = "integration"
DKIM_PURPOSE = "dkim"
SMARTHOST_PURPOSE = "smarthost"
_KEY_BYTES = 32
DIGEST_BYTES = 8
_MIN_KEY_LENGTH = 16  # bytes

# API keys and passwords may be read out or typed, so characters that look alike are left out.
_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_API_KEY_PREFIX = "er_"
_API_KEY_LENGTH = 44  # characters, about 256 random bits
_PASSWORD_LENGTH = 16  # characters, about 93 random bits
MAX_PASSWORD_LENGTH = 1024  # characters; limits the cost of hashing

# The minimum for Argon2id in the OWASP Password Storage Cheat Sheet.
_ARGON_MEMORY = 19 * 1024  # KiB
_ARGON_PASSES = 2
_ARGON_LANES = 1
_PASSWORD_HASH = re.compile(r"\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,2}),p=(\d{1,2})\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+")
# A manipulated hash must not cause the allocation of gigabytes. `_MAX_MEMORY` is in KiB.
_MAX_MEMORY, _MAX_PASSES, _MAX_LANES = 256 * 1024, 10, 8


class DecryptionError(Exception):
    """The text was encrypted with another key or for another purpose, or was modified."""


class SecretBox:
    """Encrypts texts with the first key, and decrypts texts that any of the keys encrypted.

    The keys are ordered from newest to oldest. Each purpose, a fixed word, has its own keys derived with HKDF-SHA256. A
    text encrypted for one purpose cannot be decrypted for another.
    """

    def __init__(self, keys: str | bytes | Sequence[str | bytes]) -> None:
        self._keys = [keys] if isinstance(keys, str | bytes) else list(keys)
        if not self._keys:
            raise ValueError("at least one secret key is required")
        self._fernets: dict[str, MultiFernet] = {}
        self._fernet(INTEGRATION_PURPOSE)  # raises ValueError now for an invalid key

    def encrypt(self, text: str, purpose: str = INTEGRATION_PURPOSE) -> str:
        """Encrypts and authenticates `text`; returns ASCII."""
        return self._fernet(purpose).encrypt(text.encode("utf-8")).decode("ascii")

    def decrypt(self, encrypted: str, purpose: str = INTEGRATION_PURPOSE) -> str:
        """Raises `DecryptionError` if the text cannot be decrypted."""
        try:
            return self._fernet(purpose).decrypt(encrypted.encode("utf-8", "surrogatepass")).decode("utf-8")
        except (InvalidToken, UnicodeDecodeError):
            raise DecryptionError(
                f"a secret encrypted for {purpose!r} cannot be decrypted with this secret key"
            ) from None

    def reencrypt(self, encrypted: str, purpose: str = INTEGRATION_PURPOSE) -> str:
        """Decrypts a text and encrypts it with the first key. Raises `DecryptionError`."""
        return self.encrypt(self.decrypt(encrypted, purpose), purpose)

    def sign(self, text: str, purpose: str) -> str:
        """Returns a signature of 26 lower-case letters and digits, which survives a change of case."""
        return _sign(self._keys[0], text, purpose)

    def verify(self, text: str, signature: str, purpose: str) -> bool:
        """Whether any of the keys has signed the text for the purpose."""
        given = signature.lower().encode("utf-8", "surrogatepass")
        return any(hmac.compare_digest(_sign(key, text, purpose).encode(), given) for key in self._keys)

    def digest(self, data: bytes, purpose: str) -> bytes:
        """Returns the first `DIGEST_BYTES` of the HMAC-SHA256 of `data`, for a token."""
        return _digest(self._keys[0], data, purpose)

    def verify_digest(self, data: bytes, digest: bytes, purpose: str) -> bool:
        """Whether any of the keys has made the digest for the purpose."""
        return any(hmac.compare_digest(_digest(key, data, purpose), digest) for key in self._keys)

    def __repr__(self) -> str:
        return f"SecretBox({len(self._keys)} keys)"

    def _fernet(self, purpose: str) -> MultiFernet:
        if purpose not in self._fernets:
            self._fernets[purpose] = MultiFernet([Fernet(_derive_key(key, purpose)) for key in self._keys])
        return self._fernets[purpose]


def _derive_key(key: str | bytes, purpose: str) -> bytes:
    kdf = HKDF(hashes.SHA256(), length=32, salt=None, info=f"emailrouter:{purpose}".encode())
    return base64.urlsafe_b64encode(kdf.derive(_key_material(key)))


def _sign(key: str | bytes, text: str, purpose: str) -> str:
    digest = hmac.digest(_derive_key(key, f"signature:{purpose}"), text.encode("utf-8", "surrogatepass"), "sha256")
    return base64.b32encode(digest).decode("ascii").lower()[:26]


def _digest(key: str | bytes, data: bytes, purpose: str) -> bytes:
    return hmac.digest(_derive_key(key, f"token:{purpose}"), data, "sha256")[:DIGEST_BYTES]


# --- the secret key and its file


def new_key() -> str:
    """Generates a secret key: 256 random bits in URL-safe base64."""
    return base64.urlsafe_b64encode(secrets.token_bytes(_KEY_BYTES)).decode("ascii")


def load_or_create_key(data_dir: str | os.PathLike[str]) -> str:
    """Returns the key in `data_dir/secret_key`; creates the file with mode 0600 if it does not exist.

    Processes that start together all return the same key: only one of them can create the file.

    Raises:
        OSError: The file cannot be read or created.
        ValueError: The file does not contain a key.
    """
    path = Path(data_dir) / KEY_FILE
    if not path.exists():
        _create_key_file(path)
    key = path.read_text(encoding="utf-8", errors="replace").strip()
    try:
        _key_material(key)
    except ValueError:
        raise ValueError(f"{path} does not contain a valid secret key") from None
    return key


def fingerprint(key: str | bytes) -> str:
    """Returns 16 hexadecimal digits that identify the key without revealing it."""
    return hmac.new(_key_material(key), b"emailrouter:fingerprint", hashlib.sha256).hexdigest()[:16]


def _create_key_file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{KEY_FILE}-", dir=path.parent)  # created with mode 0600
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(new_key() + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            return
    finally:
        temporary.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)  # data encrypted with the key must not survive a crash without the key
    finally:
        os.close(directory)


def _key_material(key: str | bytes) -> bytes:
    """Returns the bytes of a key, which may be any text. Raises ValueError for a short key."""
    material = (key.encode("utf-8", "surrogatepass") if isinstance(key, str) else key).strip()
    if len(material) < _MIN_KEY_LENGTH:
        raise ValueError(
            f"a secret key must have at least {_MIN_KEY_LENGTH} characters; `openssl rand -base64 32` generates one"
        )
    return material


# --- API keys: 256 random bits, so a fast hash is safe


def new_api_key() -> tuple[str, str, str]:
    """Generates an API key; returns the key, its hash, and a hint that is safe to show."""
    key = _API_KEY_PREFIX + _random_text(_API_KEY_LENGTH)
    return key, hash_api_key(key), f"{key[:7]}\u2026{key[-4:]}"


def hash_api_key(key: str) -> str:
    """Returns the SHA-256 of the UTF-8 encoding, in hexadecimal. Accepts lone surrogates."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


# --- passwords. Hashing is slow by design, and must run in a thread.


def new_password() -> str:
    return _random_text(_PASSWORD_LENGTH)


def hash_password(password: str) -> str:
    """Returns the Argon2id hash in PHC format.

    Raises ValueError for more than `MAX_PASSWORD_LENGTH` characters.
    """
    if len(password) > MAX_PASSWORD_LENGTH:
        raise ValueError(f"a password must have at most {MAX_PASSWORD_LENGTH} characters")
    kdf = Argon2id(
        salt=secrets.token_bytes(16),
        length=32,
        iterations=_ARGON_PASSES,
        lanes=_ARGON_LANES,
        memory_cost=_ARGON_MEMORY,
    )
    return kdf.derive_phc_encoded(password.encode("utf-8", "surrogatepass"))


def verify_password(password: str, password_hash: str) -> bool:
    """Returns whether the password matches; False for an invalid hash.

    For a user that does not exist, verify against `UNUSABLE_HASH`. This takes the same time and never succeeds.
    """
    cost = _PASSWORD_HASH.fullmatch(password_hash)
    if cost is None or len(password) > MAX_PASSWORD_LENGTH:
        return False
    memory, passes, lanes = (int(number) for number in cost.groups())
    if memory > _MAX_MEMORY or passes > _MAX_PASSES or lanes > _MAX_LANES:
        return False
    try:
        Argon2id.verify_phc_encoded(password.encode("utf-8", "surrogatepass"), password_hash)
    except (InvalidKey, ValueError):
        return False
    return True


# The current cost parameters and a digest of zeros, which no password matches.
UNUSABLE_HASH = f"$argon2id$v=19$m={_ARGON_MEMORY},t={_ARGON_PASSES},p={_ARGON_LANES}${'A' * 22}${'A' * 43}"


def _random_text(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
