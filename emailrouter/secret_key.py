"""The secret key of this host, checked against the fingerprint that the database stores."""

from __future__ import annotations

import asyncio

from config.schema import Config
from emailrouter.assembly.core import AnyDatabase
from router.admin.installation import key_rotation
from router.secrets import KEY_FILE, SecretBox, fingerprint, load_or_create_key


class WrongSecretKey(Exception):  # noqa: N818 - names the wrong setting
    """The secret key of this host is missing, or is not the one that encrypted the secrets in the database."""


async def load_secret_box(config: Config, database: AnyDatabase) -> SecretBox:
    """Loads or creates the secret key of this host. Stores the key's fingerprint in a new database.

    Raises `WrongSecretKey` if the key file of an existing database is missing, or the database uses another key.
    """
    configured = config.server.secret_key
    if configured is None:
        await _check_key_file(config, database)
    key = (
        configured.reveal()
        if configured is not None
        else await asyncio.to_thread(load_or_create_key, config.server.data_dir)
    )
    key_fingerprint = fingerprint(key)
    await database.execute("installation_insert", name="secret_key", value=key_fingerprint)
    row = await database.fetch_one("installation_value", name="secret_key")
    if row is not None and row["value"] != key_fingerprint and configured is None:
        # Completes a key rotation that was interrupted after its commit.
        rotated = await asyncio.to_thread(key_rotation.complete_rotation, config.server.data_dir, row["value"])
        if rotated is not None:
            return SecretBox(rotated)
    if row is None or row["value"] != key_fingerprint:
        known = row["value"] if row else "none"
        source = "server.secret_key" if configured is not None else config.server.data_dir / KEY_FILE
        raise WrongSecretKey(
            f"{source} has the fingerprint {key_fingerprint}, but this database's secrets were encrypted with the key "
            f"{known}: all hosts of one database need the same key"
        )
    return SecretBox(key)


async def _check_key_file(config: Config, database: AnyDatabase) -> None:
    """Raises `WrongSecretKey` if the key file of an existing database is missing, because a new key would not match."""
    file = config.server.data_dir / KEY_FILE
    row = await database.fetch_one("installation_value", name="secret_key")
    if row is not None and not await asyncio.to_thread(file.exists):
        raise WrongSecretKey(
            f"{file} is missing, and this database's secrets were encrypted with the key {row['value']}: copy the file "
            "here (mode 0600), or set server.data_dir or server.secret_key"
        )
