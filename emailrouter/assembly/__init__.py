"""Builds the objects of one process from the configuration, without starting them.

Nothing here waits for the database or the network. Packages outside `emailrouter` receive a section or single values of
the configuration, never a whole `Config`. Each process imports only the modules of its roles. Without the HTTP modules,
an smtp process needs 22 MiB less memory (bench/README.md).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from config.schema import Config
from config.values import Address
from emailrouter import log
from emailrouter.assembly.core import AnyDatabase, Core
from router.clock import Clock, SystemClock
from router.meter import NULL_METER
from router.network import is_loopback
from router.ports import NullWaker, Waker
from router.secrets import SecretBox
from router.side_tasks import SideTasks
from router.store.catalog import Catalog
from router.store.pg_notify import Notifier
from router.store.postgres import PostgresDatabase
from router.store.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from api.server import ApiServer
    from emailrouter.metrics.meter import PrometheusMeter
    from emailrouter.metrics.server import MetricsServer
    from router.dispatch.bounce_runner import BounceRunner
    from router.dispatch.check_runner import CheckRunner
    from router.dispatch.dispatcher import Dispatcher
    from router.dispatch.maintenance import Maintenance
    from router.dispatch.submission_runner import SubmissionRunner
    from router.services import Services
    from smtp.server import Server as SmtpServer

Role = Literal["smtp", "api", "deliver"]
ROLES: tuple[Role, ...] = ("smtp", "api", "deliver")

# Connections that read SQLite concurrently, each in its own thread.
SQLITE_READERS = 4


@dataclass(slots=True)
class Process:
    """The parts of one process. A part is None if the roles and settings of the process do not need it."""

    core: Core
    smtp: SmtpServer | None = None
    api: ApiServer | None = None
    services: Services | None = None
    dispatcher: Dispatcher | None = None
    check_runner: CheckRunner | None = None
    submissions: SubmissionRunner | None = None
    bounce_runner: BounceRunner | None = None
    maintenance: Maintenance | None = None
    pg_notifier: Notifier | None = None
    metrics: MetricsServer | None = None
    background_tasks: list[asyncio.Task[None]] = field(default_factory=list)


def build_database(config: Config, queries: Catalog) -> AnyDatabase:
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


def build(
    config: Config,
    database: AnyDatabase,
    box: SecretBox,
    roles: frozenset[Role],
    *,
    clock: Clock | None = None,
    links: str | None = None,
) -> Process:
    """Builds everything that the roles need. Must run on the event loop that will run the roles.

    Args:
        clock: None for the clock of the system.
        links: The base URL of links to tickets; None for `link_base`.
    """
    side_tasks = SideTasks()
    meter = None if config.metrics.listen is None else _build_meter(roles, side_tasks)
    wake = None if "deliver" in roles else _build_wake(database)
    core = Core(
        config,
        database,
        clock or SystemClock(),
        box,
        wake=wake,
        link_base=links or link_base(config),
        meter=meter or NULL_METER,
        side_tasks=side_tasks,
    )
    process = Process(core)
    if isinstance(wake, Notifier):
        process.pg_notifier = wake
    if "deliver" in roles:
        _add_deliver_parts(process)
    if "smtp" in roles:
        from emailrouter.assembly import smtp  # noqa: PLC0415 - see the module docstring

        process.smtp = smtp.build_server(core)
    if "api" in roles:
        from emailrouter.assembly import api  # noqa: PLC0415 - see the module docstring

        process.services = core.services
        process.api = api.build_server(core)
    if config.metrics.listen is not None and meter is not None:
        process.metrics = _build_metrics_server(config.metrics.listen, process, meter)
    return process


def _add_deliver_parts(process: Process) -> None:
    from emailrouter.assembly import deliver  # noqa: PLC0415 - see the module docstring

    core = process.core
    process.dispatcher = core.dispatcher
    process.check_runner = core.check_runner
    process.submissions = core.submissions
    process.bounce_runner = core.bounce_runner
    process.maintenance = deliver.build_maintenance(core)


def _build_wake(database: AnyDatabase) -> Waker:
    """Builds the waker that notifies dispatchers in other processes. With SQLite, they poll instead."""
    return Notifier(database) if isinstance(database, PostgresDatabase) else NullWaker()


def _build_meter(roles: frozenset[Role], side_tasks: SideTasks) -> PrometheusMeter:
    from emailrouter.metrics.meter import PrometheusMeter  # noqa: PLC0415 - see the module docstring

    return PrometheusMeter(roles, dropped_lines=log.dropped_lines, side_task_failures=lambda: side_tasks.failures)


def _build_metrics_server(listen: Address, process: Process, meter: PrometheusMeter) -> MetricsServer:
    from emailrouter.metrics.database_metrics import DatabaseMetrics  # noqa: PLC0415 - see the module docstring
    from emailrouter.metrics.server import MetricsServer  # noqa: PLC0415 - see the module docstring

    if process.smtp is not None:
        server = process.smtp
        meter.watch_connections(lambda: server.connection_count)
        meter.watch_certificate(lambda: server.certificate_expires_at)
    database_metrics = DatabaseMetrics(process.core.database, process.core.clock, meter.registry)
    return MetricsServer(listen, meter.registry, database_metrics)


def link_base(config: Config) -> str | None:
    """Returns the base URL of links to tickets.

    None if `public_url` is a loopback address, which other hosts cannot open.
    """
    host = urlsplit(config.server.public_url).hostname or ""
    return None if is_loopback(host) else config.server.public_url
