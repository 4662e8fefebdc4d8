"""The database and the use cases as the operator at the command line has them: opened for one command, then closed.

Nothing is made by looking: a database that is not there is refused, and the secret key is read (or made, where the
installation has none yet) only for a command that says it seals or opens something.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from config.schema import Config
from emailrouter import lifecycle, use_cases
from emailrouter.assembly import AnyDatabase
from router.accept import Accept
from router.accept.incoming import IncomingMail
from router.accept.transaction import Committed, commit_group
from router.clock import SystemClock, micros
from router.contents import ContentStore
from router.errors import Refused
from router.mail.envelope import Envelope
from router.ports import Accepted, NoWake
from router.routing.directory import Directory
from router.secrets import INTEGRATION, SecretBox, new_key
from router.services import Services
from router.store import catalog
from router.store.group_commit import Bounds, GroupWriter
from router.store.postgres_writer import PostgresWriter
from router.store.sqlite import SqliteDatabase
from router.store.sqlite_writer import SqliteWriter


@dataclass(frozen=True, slots=True)
class Operator:
    """What a command works with; `box` opens nothing unless secrets were asked for."""

    config: Config
    database: AnyDatabase
    clock: SystemClock
    box: SecretBox
    contents: ContentStore
    services: Services


async def existing_database(config: Config) -> AnyDatabase:
    """The configured database, of this program's schema. Raises `Refused`, `SchemaMismatch`, `Unavailable`."""
    path = config.database.url.path
    if path is not None and not path.exists():
        raise Refused(
            "not_found",
            f"there is no database at {path}: run `emailrouter init`, or name the configuration by --config",
        )
    return await lifecycle.open_database(config, migrate_it=False)


@asynccontextmanager
async def opened(config: Config, *, secrets: bool = False) -> AsyncIterator[Operator]:
    """secrets: the command seals or opens settings of integrations; then another host's key is `WrongSecretKey`."""
    database = await existing_database(config)
    try:
        clock = SystemClock()
        box = await lifecycle.secret_box(config, database) if secrets else _NoSecrets()
        client = use_cases.outbound_client(config)
        contents = ContentStore(database, clock)
        hosts = [config.server.hostname, *(mx.host for mx in config.server.mx_hosts)]
        directory = Directory(database, clock, size=1, hosts=hosts)
        acceptor = _OccasionalAcceptor(config, database, clock)
        try:
            services = use_cases.build(
                config,
                database,
                clock,
                box=box,
                client=client,
                contents=contents,
                recipients=directory,
                acceptor=acceptor,
                wake=NoWake(),
                changed=directory.forget,
            )
            yield Operator(config, database, clock, box, contents, services)
        finally:
            await acceptor.close()
            await contents.close()
            await client.close()
    finally:
        await database.close()


class _NoSecrets(SecretBox):
    """For commands that need no secret: looking must not make a key, nor fail for the lack of the right one."""

    def __init__(self) -> None:
        super().__init__(new_key())

    def seal(self, text: str, purpose: str = INTEGRATION) -> str:  # noqa: ARG002 - the box's signature
        raise RuntimeError("this command did not ask for the secret key")

    def open(self, sealed: str, purpose: str = INTEGRATION) -> str:  # noqa: ARG002 - the box's signature
        raise RuntimeError("this command did not ask for the secret key")


class _OccasionalAcceptor:
    """The accept of every other mail, whose writer is made for the first one: most commands accept none."""

    def __init__(self, config: Config, database: AnyDatabase, clock: SystemClock) -> None:
        self._config = config
        self._database = database
        self._clock = clock
        self._writer: GroupWriter[IncomingMail, Committed] | None = None

    async def accept(self, envelope: Envelope, content: bytes) -> Accepted:
        """See `router.ports.Acceptor.accept`."""
        if self._writer is None:
            self._writer = self._new_writer()
        accept = Accept(
            self._writer,
            NoWake(),
            self._clock,
            hostname=self._config.server.hostname,
            max_age=micros(self._config.delivery.max_age),
            duplicate_window=micros(self._config.smtp.duplicate_window),
            max_header_bytes=self._config.smtp.max_header_bytes,
        )
        return await accept.accept(envelope, content)

    async def close(self) -> None:
        """Ends the writer, if there is one."""
        if self._writer is not None:
            await self._writer.close()

    def _new_writer(self) -> GroupWriter[IncomingMail, Committed]:
        queries = catalog.load()
        settings = self._config.database
        bounds = Bounds(settings.group_mails, settings.group_bytes)
        if isinstance(self._database, SqliteDatabase):
            busy_timeout = settings.busy_timeout.total_seconds()
            return SqliteWriter(self._database, queries, commit_group, bounds, busy_timeout=busy_timeout)
        return PostgresWriter(self._database, queries, commit_group, bounds)
