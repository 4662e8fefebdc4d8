"""Secrets: what is sealed at rest, and what is only ever kept as a hash.

It promises: settings of integrations are readable with the secret key alone, each only for the purpose it was sealed
for; API keys and passwords cannot be got back from what is stored; the key file is made once, whichever of several
processes comes first, and only its owner can read it. Nothing here logs or puts a secret into an error's text.

Called by `router.admin` (seal, keys, passwords), `router.dispatch` (open), the API's authentication and the assembly
(the key file).
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
INTEGRATION_PURPOSE = "integration"  # the purpose of what integrations keep sealed
_KEY_BYTES = 32
_MIN_KEY_LENGTH = 16  # as `[server] secret_key` demands

# Without 0 O, 1 I l: a key may have to be read out or typed.
_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_API_KEY_PREFIX = "er_"
_API_KEY_LENGTH = 44  # 57 characters: 256 bits take 43.9 of them
_PASSWORD_LENGTH = 16  # 93 bits
MAX_PASSWORD_LENGTH = 1024  # characters; hashing must not become a way to keep us busy

# 19 MiB and 2 passes: the least that OWASP's password storage advice takes for Argon2id. Several people signing in at
# once must not cost the mail path its memory, and our own passwords are random anyway. One lane for the same reason.
_ARGON_MEMORY = 19 * 1024  # KiB
_ARGON_PASSES = 2
_ARGON_LANES = 1
# Bounds for a stored hash: a row written by someone else must not make us reserve gigabytes.
_PASSWORD_HASH = re.compile(r"\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,2}),p=(\d{1,2})\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+")
_MAX_MEMORY, _MAX_PASSES, _MAX_LANES = 256 * 1024, 10, 8


class DecryptionError(Exception):
    """What was sealed cannot be opened: with another key, for another purpose, or it was changed."""


class SecretBox:
    """Seals texts with the first key and opens what any of the keys sealed.

    keys: one key or several, newest first, as `load_or_create_key` or `[server] secret_key` give them. Each call
    takes a purpose, a fixed word of the caller's: the keys in use are derived for it (HKDF-SHA256), so that what was
    sealed for one purpose cannot pass for another.
    """

    def __init__(self, keys: str | bytes | Sequence[str | bytes]) -> None:
        self._keys = [keys] if isinstance(keys, str | bytes) else list(keys)
        if not self._keys:
            raise ValueError("at least one secret key is required")
        self._fernets: dict[str, MultiFernet] = {}
        self._fernet(INTEGRATION_PURPOSE)  # a key that is none shows now, not at the first use

    def encrypt(self, text: str, purpose: str = INTEGRATION_PURPOSE) -> str:
        """`text` encrypted and authenticated, as ASCII."""
        return self._fernet(purpose).encrypt(text.encode("utf-8")).decode("ascii")

    def decrypt(self, encrypted: str, purpose: str = INTEGRATION_PURPOSE) -> str:
        """What was sealed. Raises `DecryptionError`."""
        try:
            return self._fernet(purpose).decrypt(encrypted.encode("utf-8", "surrogatepass")).decode("utf-8")
        except (InvalidToken, UnicodeDecodeError):
            raise DecryptionError(
                f"a secret encrypted for {purpose!r} cannot be decrypted with this secret key"
            ) from None

    def reencrypt(self, encrypted: str, purpose: str = INTEGRATION_PURPOSE) -> str:
        """The same secret sealed with the first key. Raises `DecryptionError`."""
        return self.encrypt(self.decrypt(encrypted, purpose), purpose)

    def __repr__(self) -> str:
        return f"SecretBox({len(self._keys)} keys)"

    def _fernet(self, purpose: str) -> MultiFernet:
        """Derived once; the purposes are fixed words, so there are few."""
        if purpose not in self._fernets:
            self._fernets[purpose] = MultiFernet([Fernet(_derive_key(key, purpose)) for key in self._keys])
        return self._fernets[purpose]


def _derive_key(key: str | bytes, purpose: str) -> bytes:
    """A Fernet key for one purpose."""
    kdf = HKDF(hashes.SHA256(), length=32, salt=None, info=f"emailrouter:{purpose}".encode())
    return base64.urlsafe_b64encode(kdf.derive(_key_material(key)))


# --- the key and its file


def new_key() -> str:
    """A new secret key: 256 random bits in URL-safe base 64."""
    return base64.urlsafe_b64encode(secrets.token_bytes(_KEY_BYTES)).decode("ascii")


def load_or_create_key(data_dir: str | os.PathLike[str]) -> str:
    """The key in `data_dir/secret_key`, made there (0600) when the file is absent.

    Of several processes that start at once one makes the file and all return its key: it is written beside, made
    durable, and given its name by a link, which fails where there is one. Raises OSError for what the file system
    refuses and ValueError for a file that holds no key.
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
    """16 hexadecimal digits that tell keys apart and say nothing about them; the database keeps them."""
    return hmac.new(_key_material(key), b"emailrouter:fingerprint", hashlib.sha256).hexdigest()[:16]


def _create_key_file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{KEY_FILE}-", dir=path.parent)  # mkstemp makes it 0600
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(new_key() + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            return  # another process was first: its key is the key
    finally:
        temporary.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)  # what is sealed with the key from now on must not outlive it
    finally:
        os.close(directory)


def _key_material(key: str | bytes) -> bytes:
    """The octets that keys are derived from: an operator's own key may be any long random text."""
    material = (key.encode("utf-8", "surrogatepass") if isinstance(key, str) else key).strip()
    if len(material) < _MIN_KEY_LENGTH:
        raise ValueError(
            f"a secret key must have at least {_MIN_KEY_LENGTH} characters; `openssl rand -base64 32` generates one"
        )
    return material


# --- API keys: random enough that a plain hash is safe, and fast enough for every request


def new_api_key() -> tuple[str, str, str]:
    """(clear, hash, hint): show `clear` once, keep the other two. `er_` and 256 random bits."""
    key = _API_KEY_PREFIX + _random_text(_API_KEY_LENGTH)
    return key, hash_api_key(key), f"{key[:7]}\u2026{key[-4:]}"


def hash_api_key(key: str) -> str:
    """SHA-256 in hexadecimal: what a key is looked up by. Takes any text."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


# --- passwords: slow on purpose. Some tenths of a second at worst: call these in a thread, never on the loop.


def new_password() -> str:
    """A password for a person: 16 characters that cannot be mistaken for each other, 93 bits."""
    return _random_text(_PASSWORD_LENGTH)


def hash_password(password: str) -> str:
    """The Argon2id hash in PHC form. Blocks for tens of milliseconds: run it off the loop.

    Raises ValueError for more than `MAX_PASSWORD` characters.
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
    """Whether this is the password; False also for a hash that cannot be read. Blocks as `hash_password` does.

    For a user that does not exist verify against `UNUSABLE_HASH`: it takes the same time and is never true.
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


# A hash with today's costs and a digest of zeros, which no password has.
UNUSABLE_HASH = f"$argon2id$v=19$m={_ARGON_MEMORY},t={_ARGON_PASSES},p={_ARGON_LANES}${'A' * 22}${'A' * 43}"


def _random_text(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
