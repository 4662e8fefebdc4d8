"""A new secret key for an installation: everything sealed with the old one is sealed anew, in one transaction.

The key lies in a file and what it opens in the database, and no transaction holds both. So the new key is written
beside the old one first (`secret_key.next`), then the database is changed and says by its fingerprint which of the two
holds, then the new file takes the old one's name. Killed between any two lines, the key that the database names is in
one of the two files: `finish` finds it, and every start of the program calls that. Nothing here logs a key.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from router.admin import audit
from router.clock import Clock
from router.errors import Refused
from router.model import Actor
from router.secrets import KEY_FILE, SecretBox, Unsealable, fingerprint, new_key
from router.store.database import Database

NEXT_KEY_FILE = f"{KEY_FILE}.next"
FINGERPRINT_FACT = "secret_key"  # the name of the fingerprint among the facts of the installation


class KeyRotationService:
    """Who asks: `emailrouter rotate-key`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def reseal(self, old: str, new: str) -> int:
        """Seals everything with `new` and makes it the installation's key; returns how many secrets there were.

        `conflict`: the installation's key is not `old` any more, or something cannot be opened with it. Then nothing
        is changed.
        """
        box = SecretBox([new, old])
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            rows = await transaction.fetch_all("operator_sealed_settings")
            for row in rows:
                try:
                    sealed = box.reseal(row["sealed_settings"])
                except Unsealable:
                    raise Refused(
                        "conflict",
                        f"The settings of integration {row['name']} ({row['id']}) cannot be decrypted with the current "
                        "secret key: set its webhook URL again, or remove it; nothing was changed",
                    ) from None
                await transaction.execute("operator_update_settings", id=row["id"], sealed_settings=sealed)
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
        return len(rows)


def write_next_key(data_dir: Path) -> str:
    """A new key, durable in `secret_key.next`; what an earlier rotation left there unfinished is replaced."""
    path = data_dir / NEXT_KEY_FILE
    path.unlink(missing_ok=True)
    key = new_key()
    write_key(path, key)
    return key


def write_key(path: Path, key: str) -> None:
    """A file with a key that only its owner reads, on the disk when this returns; FileExistsError if it is there."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(key + "\n")
        file.flush()
        os.fsync(file.fileno())
    _sync_directory(path.parent)


def discard_next_key(data_dir: Path) -> None:
    """For a rotation that was refused."""
    (data_dir / NEXT_KEY_FILE).unlink(missing_ok=True)


def complete_rotation(data_dir: Path, expected_fingerprint: str) -> str | None:
    """The key whose fingerprint the database wants, put in its place if a rotation was cut off before; else None."""
    place, following = data_dir / KEY_FILE, data_dir / NEXT_KEY_FILE
    key = _read_key(following)
    if key is not None and fingerprint(key) == expected_fingerprint:
        with contextlib.suppress(FileNotFoundError):  # another process has just done it
            following.replace(place)
        _sync_directory(data_dir)
    key = _read_key(place)
    return key if key is not None and fingerprint(key) == expected_fingerprint else None


def _read_key(path: Path) -> str | None:
    try:
        key = path.read_text(encoding="utf-8", errors="replace").strip()
        fingerprint(key)
    except (OSError, ValueError):
        return None
    return key


def _sync_directory(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
