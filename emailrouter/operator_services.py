"""The database and the use cases as the operator at the command line has them: opened for one command, then closed.

Nothing is made by looking: a database that is not there is refused, and the secret key is read (or made, where the
installation has none yet) only for a command that says it seals or opens something.
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
from router.ports import NoWake
from router.secrets import INTEGRATION, SecretBox, new_key


async def open_existing_database(config: Config) -> AnyDatabase:
    """The configured database, of this program's schema. Raises `Refused`, `SchemaMismatch`, `Unavailable`."""
    path = config.database.url.path
    if path is not None and not path.exists():
        raise Refused(
            "not_found",
            f"there is no database at {path}: run `emailrouter init`, or set the configuration file with --config",
        )
    return await lifecycle.open_database(config, apply_migrations=False)


@asynccontextmanager
async def open_core(config: Config, *, secrets: bool = False) -> AsyncIterator[Core]:
    """secrets: the command seals or opens settings of integrations; then another host's key is `WrongSecretKey`."""
    database = await open_existing_database(config)
    try:
        box = await load_secret_box(config, database) if secrets else _NoSecretBox()
        core = Core(config, database, SystemClock(), box, wake=NoWake())
        try:
            yield core
        finally:
            await core.close()
    finally:
        await database.close()


class _NoSecretBox(SecretBox):
    """For commands that need no secret: looking must not make a key, nor fail for the lack of the right one."""

    def __init__(self) -> None:
        super().__init__(new_key())

    def seal(self, text: str, purpose: str = INTEGRATION) -> str:  # noqa: ARG002 - the box's signature
        raise RuntimeError("this command did not ask for the secret key")

    def open(self, sealed: str, purpose: str = INTEGRATION) -> str:  # noqa: ARG002 - the box's signature
        raise RuntimeError("this command did not ask for the secret key")
