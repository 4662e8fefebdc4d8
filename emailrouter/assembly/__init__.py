"""Config -> the objects of one process. The only package that names concrete classes of every room.

`Process` holds what its roles need, built but not started. Constructors take narrow slices of the configuration;
nothing here waits but opening the database. What only one role needs is in a module of its own, loaded for that role:
an smtp process is a quarter smaller without what answers HTTP, and starts in half the time. `emailrouter.lifecycle`
starts, watches and stops what is built here.
"""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from config.schema import Config
from emailrouter import log
from router.accept import Accept
from router.accept.incoming import IncomingMail
from router.accept.transaction import Committed, commit_group
from router.clock import Clock, SystemClock, micros
from router.contents import ContentStore
from router.meter import UNMETERED, Meter
from router.ports import NoWake, Wake
from router.routing.directory import Directory
from router.secrets import SecretBox
from router.side_tasks import SideTasks
from router.store import catalog
from router.store.catalog import Catalog
from router.store.group_commit import Bounds, GroupWriter
from router.store.postgres import PostgresDatabase
from router.store.postgres_writer import PostgresWriter
from router.store.room import DiskRoom
from router.store.signals import Signaller
from router.store.sqlite import SqliteDatabase
from router.store.sqlite_writer import SqliteWriter

if TYPE_CHECKING:
    from api.server import ApiServer
    from emailrouter.metrics.server import MetricsServer
    from router.dispatch.dispatcher import Dispatcher
    from router.dispatch.janitor import Janitor
    from router.outbound.client import OutboundClient
    from router.services import Services
    from smtp.server import Server as SmtpServer

Role = Literal["smtp", "api", "deliver"]
ROLES: tuple[Role, ...] = ("smtp", "api", "deliver")

# Reads of one process on SQLite run beside each other in as many threads; more than the cores add nothing.
SQLITE_READERS = 4

AnyDatabase = SqliteDatabase | PostgresDatabase


@dataclass(slots=True)
class Process:
    """What one process consists of; a role it does not have is None. background: what runs until the end."""

    config: Config
    database: AnyDatabase
    contents: ContentStore
    client: OutboundClient | None = None
    writer: GroupWriter[IncomingMail, Committed] | None = None
    smtp: SmtpServer | None = None
    api: ApiServer | None = None
    services: Services | None = None
    dispatcher: Dispatcher | None = None
    janitor: Janitor | None = None
    signaller: Signaller | None = None
    metrics: MetricsServer | None = None
    background: list[asyncio.Task[None]] = field(default_factory=list)


def database(config: Config, queries: Catalog) -> AnyDatabase:
    """The database of the configuration, not opened yet."""
    settings = config.database
    if settings.url.path is not None:
        return SqliteDatabase(
            settings.url.path, queries, readers=SQLITE_READERS, busy_timeout=settings.busy_timeout.total_seconds()
        )
    return PostgresDatabase(
        settings.url.reveal_dsn(),
        queries,
        pool_size=settings.pool_size,
        connect_timeout=(settings.url.connect_timeout or settings.connect_timeout).total_seconds(),
        statement_timeout=settings.statement_timeout.total_seconds(),
    )


def build(config: Config, opened: AnyDatabase, box: SecretBox, roles: frozenset[Role]) -> Process:
    """Everything the roles need, over an open database; called on the event loop that will run it."""
    clock = SystemClock()
    queries = catalog.load()
    side_tasks = SideTasks()
    meter: Meter = UNMETERED
    if config.metrics.listen is not None:
        from emailrouter.metrics.meter import PrometheusMeter  # noqa: PLC0415 - see the module

        counting = PrometheusMeter(
            roles, dropped_lines=log.dropped_lines, side_task_failures=lambda: side_tasks.failures
        )
        meter = side_tasks.meter(counting)
    contents = ContentStore(opened, clock, meter)
    process = Process(config, opened, contents)
    directory = Directory(
        opened,
        clock,
        size=config.smtp.recipient_cache,
        hosts=[config.server.hostname, *(mx.host for mx in config.server.mx_hosts)],
    )
    if "deliver" in roles or "api" in roles:
        from emailrouter import use_cases  # noqa: PLC0415 - see the module

        process.client = client = use_cases.outbound_client(config)
    wake: Wake
    if "deliver" in roles:
        from emailrouter.assembly import deliver  # noqa: PLC0415 - see the module

        process.dispatcher = wake = deliver.dispatcher(
            config, opened, clock, contents=contents, client=client, box=box, meter=meter, side_tasks=side_tasks
        )
        process.janitor = deliver.janitor(
            config, opened, clock, contents=contents, client=client, box=box, directory=directory
        )
    elif isinstance(opened, PostgresDatabase):
        process.signaller = wake = Signaller(opened)
    else:
        wake = NoWake()
    if "smtp" in roles or "api" in roles:
        process.writer = _writer(config, opened, queries)
        accept = Accept(
            process.writer,
            wake,
            clock,
            hostname=config.server.hostname,
            max_age=micros(config.delivery.max_age),
            duplicate_window=micros(config.smtp.duplicate_window),
            max_header_bytes=config.smtp.max_header_bytes,
            meter=meter,
            room=_room(config, opened, clock),
            side_tasks=side_tasks,
        )
        if "smtp" in roles:
            from emailrouter.assembly import smtp  # noqa: PLC0415 - see the module

            process.smtp = smtp.server(config, directory, accept, clock, meter, side_tasks=side_tasks)
        if "api" in roles:
            from emailrouter.assembly import api  # noqa: PLC0415 - see the module

            process.services = use_cases.build(
                config,
                opened,
                clock,
                box=box,
                client=client,
                contents=contents,
                recipients=directory,
                acceptor=accept,
                wake=side_tasks.wake(wake),
                changed=directory.forget,
            )
            process.api = api.server(config, process.services, meter)
    if config.metrics.listen is not None:
        from emailrouter.metrics.server import MetricsServer  # noqa: PLC0415 - see the module
        from emailrouter.metrics.stored import StoredFigures  # noqa: PLC0415 - see the module

        if process.smtp is not None:
            door = process.smtp
            counting.watch_connections(lambda: door.connections)
            counting.watch_certificate(lambda: door.certificate_expires_at)
        stored = StoredFigures(opened, clock, counting.registry)
        process.metrics = MetricsServer(config.metrics.listen, counting.registry, stored)
    return process


def _room(config: Config, opened: AnyDatabase, clock: Clock) -> DiskRoom | None:
    if isinstance(opened, SqliteDatabase):
        return DiskRoom(opened.path, config.smtp.min_free_bytes, clock)
    return None


def link_base(config: Config) -> str | None:
    """What links to tickets begin with; None while `public_url` is loopback: nobody could follow them."""
    host = urlsplit(config.server.public_url).hostname or ""
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost" or host.endswith(".localhost")
    return None if loopback else config.server.public_url


def _writer(config: Config, opened: AnyDatabase, queries: Catalog) -> GroupWriter[IncomingMail, Committed]:
    bounds = Bounds(config.database.group_mails, config.database.group_bytes)
    if isinstance(opened, SqliteDatabase):
        busy_timeout = config.database.busy_timeout.total_seconds()
        return SqliteWriter(opened, queries, commit_group, bounds, busy_timeout=busy_timeout)
    return PostgresWriter(opened, queries, commit_group, bounds)
