"""Rotation of the secret key: all stored secrets are encrypted again with a new key, in one transaction.

Without the setting `server.secret_key`, the new key is first written to `secret_key.next`, and the transaction stores
its fingerprint. If the process is killed at any point, `secret_key` or `secret_key.next` contains the key with the
stored fingerprint. The next start completes an interrupted rotation. Keys are never logged.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from router.admin import audit
from router.clock import Clock
from router.errors import Refused
from router.model import Actor
from router.secrets import (
    DKIM_PURPOSE,
    INTEGRATION_PURPOSE,
    KEY_FILE,
    SMARTHOST_PURPOSE,
    DecryptionError,
    SecretBox,
    fingerprint,
    new_key,
)
from router.store.database import Database, QueryExecutor

_NEW_KEY = "turn sending from the domain off and on, which makes a new key whose record you then publish"
NEXT_KEY_FILE = f"{KEY_FILE}.next"
FINGERPRINT_FACT = "secret_key"  # a name in the table `installation`


class KeyRotationService:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def reencrypt_all(self, old: str, new: str) -> int:
        """Encrypts all secrets with `new`, stores the fingerprint of `new`, and returns the number of secrets.

        Raises `conflict`, without any change, if `old` is not the current key or cannot decrypt a secret.
        """
        box = SecretBox([new, old])
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            count = await _reencrypt_integrations(transaction, box)
            count += await _reencrypt_smarthosts(transaction, box)
            count += await _reencrypt_domain_keys(transaction, box)
            replaced = await transaction.execute(
                "operator_replace_value", name=FINGERPRINT_FACT, value=fingerprint(new), expected=fingerprint(old)
            )
            if not replaced:
                raise Refused("conflict", "The secret key was changed concurrently; nothing was changed")
            for workspace in await transaction.fetch_all("operator_workspaces", after="", limit=10_000):
                actor = Actor(workspace["id"], "admin")
                await audit.record(
                    transaction, actor, now, "secret_key.rotate", workspace["id"], fingerprint=fingerprint(new)
                )
        return count


async def _reencrypt_integrations(transaction: QueryExecutor, box: SecretBox) -> int:
    rows = await transaction.fetch_all("operator_encrypted_settings")
    for row in rows:
        what = f"The settings of integration {row['name']} ({row['id']})", "enter its settings again, or remove it"
        encrypted = _reencrypt(box, row["encrypted_settings"], INTEGRATION_PURPOSE, *what)
        await transaction.execute("operator_update_settings", id=row["id"], encrypted_settings=encrypted)
    return len(rows)


async def _reencrypt_smarthosts(transaction: QueryExecutor, box: SecretBox) -> int:
    rows = await transaction.fetch_all("operator_encrypted_smarthosts")
    for row in rows:
        what = f"The smarthost of {row['name']} ({row['id']})", "enter it again, or remove it"
        encrypted = _reencrypt(box, row["encrypted_smarthost"], SMARTHOST_PURPOSE, *what)
        await transaction.execute("operator_update_smarthost", id=row["id"], encrypted_smarthost=encrypted)
    return len(rows)


async def _reencrypt_domain_keys(transaction: QueryExecutor, box: SecretBox) -> int:
    rows = await transaction.fetch_all("operator_encrypted_domain_keys")
    for row in rows:
        what = f"The DKIM key {row['selector']} of {row['name']} ({row['domain_id']})", _NEW_KEY
        encrypted = _reencrypt(box, row["encrypted_private_key"], DKIM_PURPOSE, *what)
        await transaction.execute(
            "operator_update_domain_key",
            domain_id=row["domain_id"],
            selector=row["selector"],
            encrypted_private_key=encrypted,
        )
    return len(rows)


def _reencrypt(box: SecretBox, encrypted: str, purpose: str, name: str, remedy: str) -> str:
    try:
        return box.reencrypt(encrypted, purpose)
    except DecryptionError:
        raise Refused(
            "conflict", f"{name} cannot be decrypted with the current secret key: {remedy}; nothing was changed"
        ) from None


def write_next_key(data_dir: Path) -> str:
    """Writes a new key to `secret_key.next`. Replaces the key of an unfinished rotation."""
    path = data_dir / NEXT_KEY_FILE
    path.unlink(missing_ok=True)
    key = new_key()
    write_key(path, key)
    return key


def write_key(path: Path, key: str) -> None:
    """Writes a key to a new file with mode 0600 and syncs it to disk. Raises `FileExistsError`."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(key + "\n")
        file.flush()
        os.fsync(file.fileno())
    _sync_directory(path.parent)


def discard_next_key(data_dir: Path) -> None:
    (data_dir / NEXT_KEY_FILE).unlink(missing_ok=True)


def complete_rotation(data_dir: Path, expected_fingerprint: str) -> str | None:
    """Completes an interrupted rotation, if any. Returns the key with the expected fingerprint, or None."""
    key_file, next_file = data_dir / KEY_FILE, data_dir / NEXT_KEY_FILE
    key = _read_key(next_file)
    if key is not None and fingerprint(key) == expected_fingerprint:
        with contextlib.suppress(FileNotFoundError):  # another process has just renamed the file
            next_file.replace(key_file)
        _sync_directory(data_dir)
    key = _read_key(key_file)
    return key if key is not None and fingerprint(key) == expected_fingerprint else None


def _read_key(path: Path) -> str | None:
    try:
        key = path.read_text(encoding="utf-8", errors="replace").strip()
        fingerprint(key)
    except (OSError, ValueError):
        return None
    return key


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
