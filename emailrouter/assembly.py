"""Config -> the objects of one process. The only module that names concrete classes of every room.

`Process` holds what its roles need, built but not started. Constructors take narrow slices of the configuration;
nothing here waits but opening the database. `emailrouter.lifecycle` starts, watches and stops what is built here.
"""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Literal
from urllib.parse import urlsplit

import dns.asyncresolver

from api.app import build_app
from api.server import ApiServer
from api.services import Services
from config.schema import Config
from emailrouter import use_cases
from emailrouter.metrics.meter import PrometheusMeter
from emailrouter.metrics.server import MetricsServer
from emailrouter.metrics.stored import StoredFigures
from router.accept import Accept
from router.accept.transaction import Committed, IncomingMail, commit_group
from router.channels import CHANNELS
from router.clock import SECOND, Clock, SystemClock, micros
from router.contents import ContentStore
from router.dispatch import janitor
from router.dispatch.dispatcher import Dispatcher
from router.dispatch.janitor import Chore, Janitor
from router.dispatch.notices import Notices
from router.dispatch.outbox import Limits, Outbox
from router.dispatch.owner import new_owner
from router.dispatch.retention import Ages, Retention
from router.dispatch.sender import TicketSender
from router.dns.resolver import plain_resolver
from router.meter import UNMETERED, Meter
from router.outbound.client import OutboundClient
from router.ports import Wake
from router.routing.directory import Directory
from router.secrets import SecretBox
from router.store import catalog
from router.store.catalog import Catalog
from router.store.group_commit import Bounds, GroupWriter
from router.store.neighbours import Neighbours
from router.store.postgres import PostgresDatabase
from router.store.postgres_writer import PostgresWriter
from router.store.room import DiskRoom
from router.store.signals import Signaller
from router.store.sqlite import SqliteDatabase
from router.store.sqlite_writer import SqliteWriter
from smtp.server import Server as SmtpServer

Role = Literal["smtp", "api", "deliver"]
ROLES: tuple[Role, ...] = ("smtp", "api", "deliver")

# Reads of one process on SQLite run beside each other in as many threads; more than the cores add nothing.
SQLITE_READERS = 4
# A lane that has to wait longer than this for its pace lets its integration go meanwhile.
LANE_PATIENCE = 2_000_000
# What is under way at a stop has the time of its request, and so much for its text before and its outcome after.
OUTCOME_SECONDS = 20.0
# How often the janitor's chores are done: what is old may be so a little longer.
SWEEP_EVERY, LOOK_EVERY = 600 * SECOND, 60 * SECOND

AnyDatabase = SqliteDatabase | PostgresDatabase


@dataclass(slots=True)
class Process:
    """What one process consists of; a role it does not have is None. background: what runs until the end."""

    config: Config
    database: AnyDatabase
    client: OutboundClient
    contents: ContentStore
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
        settings.url.reveal(),
        queries,
        pool_size=settings.pool_size,
        connect_timeout=settings.connect_timeout.total_seconds(),
        statement_timeout=settings.statement_timeout.total_seconds(),
    )


def build(config: Config, opened: AnyDatabase, box: SecretBox, roles: frozenset[Role]) -> Process:
    """Everything the roles need, over an open database; called on the event loop that will run it."""
    clock = SystemClock()
    queries = catalog.load()
    client = outbound_client(config)
    counting = PrometheusMeter(roles) if config.metrics.listen is not None else None
    meter: Meter = counting or UNMETERED
    contents = ContentStore(opened, clock, meter)
    process = Process(config, opened, client, contents)
    directory = Directory(
        opened,
        clock,
        size=config.smtp.recipient_cache,
        hosts=[config.server.hostname, *(mx.host for mx in config.server.mx_hosts)],
    )
    wake: Wake
    if "deliver" in roles:
        process.dispatcher = wake = _dispatcher(
            config, opened, clock, contents=contents, client=client, box=box, meter=meter
        )
        process.janitor = _janitor(
            config, opened, clock, contents=contents, client=client, box=box, directory=directory
        )
    elif isinstance(opened, PostgresDatabase):
        process.signaller = wake = Signaller(opened)
    else:
        wake = Neighbours(opened.path)
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
        )
        if "smtp" in roles:
            process.smtp = SmtpServer(
                config.smtp,
                config.server.hostname,
                directory,
                accept,
                clock,
                resolver=_block_list_resolver(config),
                reuse_port=config.smtp.reuse_port,
                meter=meter,
            )
        if "api" in roles:
            process.services = use_cases.build(
                config,
                opened,
                clock,
                box=box,
                client=client,
                contents=contents,
                recipients=directory,
                acceptor=accept,
                wake=wake,
                changed=directory.forget,
            )
            app = build_app(
                process.services,
                config.api,
                public_url=config.server.public_url,
                version=version("emailrouter"),
                meter=meter,
            )
            listen = config.api.listen
            if listen == "systemd":
                process.api = ApiServer(app, systemd=True)
            else:
                process.api = ApiServer(app, host=listen.host, port=listen.port)
    if counting is not None and config.metrics.listen is not None:
        if process.smtp is not None:
            smtp = process.smtp
            counting.watch_connections(lambda: smtp.connections)
            counting.watch_certificate(lambda: smtp.certificate_expires_at)
        stored = StoredFigures(opened, clock, counting.registry)
        process.metrics = MetricsServer(config.metrics.listen, counting.registry, stored)
    return process


def _room(config: Config, opened: AnyDatabase, clock: Clock) -> DiskRoom | None:
    if isinstance(opened, SqliteDatabase):
        return DiskRoom(opened.path, config.smtp.min_free_bytes, clock)
    return None


def _block_list_resolver(config: Config) -> dns.asyncresolver.Resolver | None:
    """Asked about senders only where block lists are set."""
    if not config.smtp.dnsbl:
        return None
    return plain_resolver([(server.host, server.port) for server in config.dns.nameservers])


def outbound_client(config: Config) -> OutboundClient:
    """The guarded HTTP client, as the configuration wants it."""
    return OutboundClient(
        allow_private=config.delivery.allow_private_networks,
        timeout=config.delivery.timeout.total_seconds(),
        answer_excerpt=config.delivery.answer_excerpt,
    )


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


def _dispatcher(
    config: Config,
    opened: AnyDatabase,
    clock: Clock,
    *,
    contents: ContentStore,
    client: OutboundClient,
    box: SecretBox,
    meter: Meter,
) -> Dispatcher:
    settings = config.delivery
    limits = Limits(
        per_second=settings.per_second,
        burst=settings.burst,
        digest_after=settings.digest_after,
        lease=micros(settings.lease),
        max_claims=settings.max_claims,
        patience=LANE_PATIENCE,
    )
    sender = TicketSender(
        opened,
        contents,
        CHANNELS,
        client,
        box,
        link_base=link_base(config),
        allow_private=settings.allow_private_networks,
        timeout=settings.timeout.total_seconds(),
    )
    outbox = Outbox(opened, clock, new_owner(), limits)
    return Dispatcher(
        outbox,
        sender,
        CHANNELS,
        clock,
        concurrency=settings.concurrency,
        drain=settings.timeout.total_seconds() + OUTCOME_SECONDS,
        meter=meter,
    )


def _janitor(
    config: Config,
    opened: AnyDatabase,
    clock: Clock,
    *,
    contents: ContentStore,
    client: OutboundClient,
    box: SecretBox,
    directory: Directory,
) -> Janitor:
    kept = config.retention
    ages = Ages(
        raw_messages=None if kept.raw_messages is None else micros(kept.raw_messages),
        resolved_tickets=None if kept.resolved_tickets is None else micros(kept.resolved_tickets),
        duplicate_window=micros(config.smtp.duplicate_window),
    )
    retention = Retention(opened, contents, clock, ages, rest=janitor.rest)
    checks = use_cases.domain_checks(config, opened, clock, changed=directory.forget)
    notices = Notices(
        opened,
        clock,
        CHANNELS,
        client,
        box,
        allow_private=config.delivery.allow_private_networks,
        timeout=config.delivery.timeout.total_seconds(),
    )
    chores = [
        Chore("retention", SWEEP_EVERY, retention.sweep),
        Chore("recheck", LOOK_EVERY, checks.recheck, shared=False),
        Chore("notices", LOOK_EVERY, notices.tell),
    ]
    return Janitor(opened, clock, chores)
