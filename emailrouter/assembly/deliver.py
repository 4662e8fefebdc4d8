"""The dispatcher and the janitor of a process that delivers."""

from __future__ import annotations

from emailrouter import stopping, use_cases
from emailrouter.assembly import link_base
from emailrouter.assembly.core import Core
from router.channels import CHANNELS
from router.clock import SECOND, micros
from router.dispatch import janitor as chores_of
from router.dispatch.dispatcher import POLL_INTERVAL, Dispatcher
from router.dispatch.janitor import Chore, Janitor
from router.dispatch.notices import Notices
from router.dispatch.outbox import Limits, Outbox
from router.dispatch.retention import Ages, Retention
from router.dispatch.sender import TicketSender
from router.lease_owner import new_owner
from router.store.sqlite import SqliteDatabase

# A lane that has to wait longer than this for its pace lets its integration go meanwhile.
LANE_PATIENCE = 2_000_000
# Seconds. SQLite has no signal between processes: polling alone finds the work that another process has written.
SQLITE_POLL_INTERVAL = 0.25
# How often the janitor's chores are done: what is old may be so a little longer.
SWEEP_EVERY, LOOK_EVERY = 600 * SECOND, 60 * SECOND


def dispatcher(core: Core) -> Dispatcher:
    """Not running yet."""
    settings = core.config.delivery
    return Dispatcher(
        outbox(core),
        sender(core),
        CHANNELS,
        core.clock,
        concurrency=settings.concurrency,
        drain=settings.timeout.total_seconds() + stopping.OUTCOME,
        poll_interval=SQLITE_POLL_INTERVAL if isinstance(core.database, SqliteDatabase) else POLL_INTERVAL,
        meter=core.meter,
        side_tasks=core.side_tasks,
    )


def outbox(core: Core) -> Outbox:
    """The deliveries, claimed in the name of a new owner."""
    settings = core.config.delivery
    limits = Limits(
        per_second=settings.per_second,
        burst=settings.burst,
        digest_after=settings.digest_after,
        lease=micros(settings.lease),
        max_claims=settings.max_claims,
        patience=LANE_PATIENCE,
    )
    return Outbox(core.database, core.clock, new_owner(), limits)


def sender(core: Core) -> TicketSender:
    return TicketSender(core.database, core.contents, core.poster, link_base=link_base(core.config))


def janitor(core: Core) -> Janitor:
    """Not running yet."""
    config = core.config
    kept = config.retention
    ages = Ages(
        raw_messages=None if kept.raw_messages is None else micros(kept.raw_messages),
        resolved_tickets=None if kept.resolved_tickets is None else micros(kept.resolved_tickets),
        duplicate_window=micros(config.smtp.duplicate_window),
    )
    retention = Retention(core.database, core.contents, core.clock, ages, rest=chores_of.rest)
    checks = use_cases.domain_checks(core)
    notices = Notices(core.database, core.clock, core.poster)
    chores = [
        Chore("retention", SWEEP_EVERY, retention.sweep),
        Chore("recheck", LOOK_EVERY, checks.recheck_due, shared=False),
        Chore("notices", LOOK_EVERY, notices.tell),
    ]
    return Janitor(core.database, core.clock, chores)
