"""What delivers, and what is done now and then beside it. Called by `emailrouter.assembly.build`."""

from __future__ import annotations

from config.schema import Config
from emailrouter import stopping, use_cases
from emailrouter.assembly import AnyDatabase, link_base
from router.channels import CHANNELS
from router.clock import SECOND, Clock, micros
from router.contents import ContentStore
from router.dispatch import janitor as chores_of
from router.dispatch.dispatcher import POLL_INTERVAL, Dispatcher
from router.dispatch.janitor import Chore, Janitor
from router.dispatch.notices import Notices
from router.dispatch.outbox import Limits, Outbox
from router.dispatch.owner import new_owner
from router.dispatch.retention import Ages, Retention
from router.dispatch.sender import TicketSender
from router.meter import Meter
from router.outbound.client import OutboundClient
from router.routing.directory import Directory
from router.secrets import SecretBox
from router.side_tasks import SideTasks
from router.store.sqlite import SqliteDatabase

# A lane that has to wait longer than this for its pace lets its integration go meanwhile.
LANE_PATIENCE = 2_000_000
# Seconds. SQLite has no signal between processes: polling alone finds the work that another process has written.
SQLITE_POLL_INTERVAL = 0.25
# How often the janitor's chores are done: what is old may be so a little longer.
SWEEP_EVERY, LOOK_EVERY = 600 * SECOND, 60 * SECOND


def dispatcher(
    config: Config,
    opened: AnyDatabase,
    clock: Clock,
    *,
    contents: ContentStore,
    client: OutboundClient,
    box: SecretBox,
    meter: Meter,
    side_tasks: SideTasks,
) -> Dispatcher:
    """Not running yet."""
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
        drain=settings.timeout.total_seconds() + stopping.OUTCOME,
        poll_interval=SQLITE_POLL_INTERVAL if isinstance(opened, SqliteDatabase) else POLL_INTERVAL,
        meter=meter,
        side_tasks=side_tasks,
    )


def janitor(
    config: Config,
    opened: AnyDatabase,
    clock: Clock,
    *,
    contents: ContentStore,
    client: OutboundClient,
    box: SecretBox,
    directory: Directory,
) -> Janitor:
    """Not running yet."""
    kept = config.retention
    ages = Ages(
        raw_messages=None if kept.raw_messages is None else micros(kept.raw_messages),
        resolved_tickets=None if kept.resolved_tickets is None else micros(kept.resolved_tickets),
        duplicate_window=micros(config.smtp.duplicate_window),
    )
    retention = Retention(opened, contents, clock, ages, rest=chores_of.rest)
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
