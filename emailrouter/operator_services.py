"""Opens the database and the use cases for one command of the operator, and closes them afterwards.

Never creates a database. Only commands that encrypt or decrypt settings read or create the secret key.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from config.schema import Config
from emailrouter import lifecycle
from emailrouter.assembly.core import AnyDatabase, Core
from emailrouter.secret_key import load_secret_box
from router.clock import SystemClock
from router.errors import Refused
from router.ports import NullWaker
from router.secrets import INTEGRATION_PURPOSE, SecretBox, new_key


async def open_existing_database(config: Config) -> AnyDatabase:
    """Opens the configured database. Raises `Refused`, `SchemaMismatch`, `ConfigurationFault` or `Unavailable`."""
    path = config.database.url.path
    if path is not None and not path.exists():
        raise Refused(
            "not_found",
            f"there is no database at {path}: run `emailrouter init`, or set the configuration file with --config",
        )
    return await lifecycle.open_database(config, apply_migrations=False)


@asynccontextmanager
async def open_core(config: Config, *, secrets: bool = False) -> AsyncIterator[Core]:
    """Opens a core, which can encrypt and decrypt settings only with `secrets`.

    With `secrets`, raises `WrongSecretKey` if the secret key of this host is not that of the database.
    """
    database = await open_existing_database(config)
    try:
        box = await load_secret_box(config, database) if secrets else _NoSecretBox()
        core = Core(config, database, SystemClock(), box, wake=NullWaker())
        try:
            yield core
        finally:
            await core.close()
    finally:
        await database.close()


class _NoSecretBox(SecretBox):
    """A `SecretBox` for commands that do not need the secret key.

    Never reads or creates the key file. Encrypting and decrypting raise RuntimeError.
    """

    def __init__(self) -> None:
        super().__init__(new_key())

    def encrypt(self, text: str, purpose: str = INTEGRATION_PURPOSE) -> str:  # noqa: ARG002 - signature of SecretBox
        raise RuntimeError("this command did not load the secret key")

    def decrypt(self, encrypted: str, purpose: str = INTEGRATION_PURPOSE) -> str:  # noqa: ARG002 - signature of SecretBox
        raise RuntimeError("this command did not load the secret key")
