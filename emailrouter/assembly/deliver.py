"""Builds the dispatcher and the maintenance tasks of a deliver process."""

from __future__ import annotations

from datetime import timedelta

from emailrouter import shutdown, use_cases
from emailrouter.assembly.core import Core
from router.admin.tickets.tags import TagService
from router.channels import CHANNELS
from router.channels.contract import Pace
from router.checks.authenticate import Authenticator
from router.checks.check_queue import CheckQueue
from router.checks.evaluate import SenderEvaluator
from router.checks.relays import Relays
from router.clock import SECOND, to_micros
from router.dispatch.acknowledgements import Acknowledgements
from router.dispatch.bounce_queue import BounceQueue
from router.dispatch.bounce_runner import BounceRunner
from router.dispatch.check_runner import CheckRunner
from router.dispatch.delivery_batch import OutboxLimits, channel_limits
from router.dispatch.dispatcher import POLL_INTERVAL_SECONDS, Dispatcher
from router.dispatch.domain_alerts import DomainAlerts
from router.dispatch.maintenance import Maintenance, MaintenanceTask
from router.dispatch.outbox import Outbox
from router.dispatch.retention import Retention, RetentionPeriods
from router.dispatch.sender import TicketSender
from router.dispatch.smarthost_alerts import SmarthostAlerts
from router.dispatch.spam_alerts import SpamAlerts
from router.dispatch.submission_outbox import SubmissionOutbox
from router.dispatch.submission_runner import SubmissionRunner
from router.dispatch.submission_sender import SubmissionSender
from router.dispatch.submission_work import SubmissionLimits
from router.lease_owner import new_lease_owner
from router.model import Micros
from router.routing.envelope import is_own_test_message
from router.store import batches
from router.store.sqlite import SqliteDatabase

# Maximum time, in microseconds, that a worker keeps its lease while it waits for the rate limit.
MAX_LEASE_WAIT = 2_000_000
# Shorter than with PostgreSQL, because SQLite has no notifications between processes.
SQLITE_POLL_INTERVAL_SECONDS = 0.25
RETENTION_INTERVAL, DOMAIN_INTERVAL, RENAME_INTERVAL = 600 * SECOND, 60 * SECOND, 60 * SECOND
ACKNOWLEDGEMENT_INTERVAL = 10 * SECOND
SPAM_INTERVAL, SMARTHOST_INTERVAL = 600 * SECOND, 60 * SECOND


def build_dispatcher(core: Core) -> Dispatcher:
    settings = core.config.delivery
    return Dispatcher(
        build_outbox(core),
        build_sender(core),
        core.clock,
        concurrency=settings.concurrency,
        drain=settings.timeout.total_seconds() + shutdown.OUTCOME_SECONDS,
        poll_interval=_poll_interval(core),
        meter=core.meter,
        side_tasks=core.side_tasks,
    )


def _poll_interval(core: Core) -> float:
    return SQLITE_POLL_INTERVAL_SECONDS if isinstance(core.database, SqliteDatabase) else POLL_INTERVAL_SECONDS


def build_check_runner(core: Core) -> CheckRunner:
    config = core.config
    relays = Relays(config.checks.relays, config.smtp.trusted_networks)
    authenticator = Authenticator(
        core.contents,
        core.parser,
        core.dns_cache,
        relays,
        core.spam_filter,
        spam_max_bytes=config.checks.rspamd_max_bytes,
        deadline=config.checks.deadline.total_seconds(),
    )
    evaluator = SenderEvaluator(
        authenticator,
        core.routing_cache,
        core.clock,
        max_header_bytes=config.smtp.max_header_bytes,
        trusted_authserv_ids=config.checks.trusted_authserv_ids,
        is_own_test=lambda message: is_own_test_message(core.box, message.rfc_message_id),
    )
    return CheckRunner(
        CheckQueue(core.database, core.writers, core.clock),
        evaluator,
        core.clock,
        core.dispatcher.wake,
        poll_interval=_poll_interval(core),
        meter=core.meter,
    )


def build_bounce_runner(core: Core) -> BounceRunner:
    max_age = to_micros(core.config.delivery.max_age)
    return BounceRunner(
        BounceQueue(core.database, core.writers, core.clock, max_age=max_age),
        core.contents,
        core.parser,
        core.dispatcher.wake,
        poll_interval=_poll_interval(core),
    )


def build_submission_outbox(core: Core) -> SubmissionOutbox:
    delivery = core.config.delivery
    limits = SubmissionLimits(
        lease=to_micros(delivery.lease),
        max_age=to_micros(delivery.max_age),
        max_claims=delivery.max_claims,
        per_hour=core.config.outgoing.per_hour,
    )
    return SubmissionOutbox(core.database, core.writers, core.clock, new_lease_owner(), limits)


def build_submission_sender(core: Core, outbox: SubmissionOutbox) -> SubmissionSender:
    uses_token = core.config.outgoing.bounce_address == "token"
    return SubmissionSender(core.sending, outbox, core.smarthost_client, core.clock, uses_token=uses_token)


def build_submission_runner(core: Core) -> SubmissionRunner:
    delivery, outgoing = core.config.delivery, core.config.outgoing
    outbox = build_submission_outbox(core)
    return SubmissionRunner(
        outbox,
        build_submission_sender(core, outbox),
        core.clock,
        core.dispatcher.wake,
        concurrency=outgoing.concurrency,
        drain=delivery.timeout.total_seconds() + shutdown.OUTCOME_SECONDS,
        poll_interval=_poll_interval(core),
        smarthost_url="" if outgoing.smarthost is None else str(outgoing.smarthost),
        meter=core.meter,
        side_tasks=core.side_tasks,
    )


def build_outbox(core: Core) -> Outbox:
    settings = core.config.delivery
    pace = Pace(settings.per_second, settings.burst)
    limits = OutboxLimits(
        per_second=settings.per_second,
        burst=settings.burst,
        digest_after=settings.digest_after,
        lease=to_micros(settings.lease),
        max_age=to_micros(settings.max_age),
        max_claims=settings.max_claims,
        max_lease_wait=MAX_LEASE_WAIT,
        own_limits={kind: channel_limits(channel, pace) for kind, channel in CHANNELS.items()},
    )
    return Outbox(core.database, core.writers, core.clock, new_lease_owner(), limits)


def build_sender(core: Core) -> TicketSender:
    return TicketSender(core.contents, core.poster, core.clock, link_base=core.link_base)


def build_acknowledgements(core: Core) -> Acknowledgements:
    return Acknowledgements(
        core.database,
        core.clock,
        core.reply_builder,
        core.wake.wake_submissions,
        link_base=core.link_base,
        has_checks=core.config.checks.enabled,
    )


def build_maintenance(core: Core) -> Maintenance:
    config = core.config
    settings = config.retention
    periods = RetentionPeriods(
        raw_messages=_optional_micros(settings.raw_messages),
        resolved_tickets=_optional_micros(settings.resolved_tickets),
        spam_tickets=_optional_micros(settings.spam_tickets),
        duplicate_window=to_micros(config.smtp.duplicate_window),
    )
    retention = Retention(core.database, core.contents, core.clock, periods, pause=batches.pause)
    checks = use_cases.build_domain_checks(core)
    alerts = DomainAlerts(core.database, core.clock, core.poster)
    spam_alerts = SpamAlerts(core.database, core.clock, core.poster, link_base=core.link_base)
    acknowledgements = build_acknowledgements(core)
    smarthost_alerts = SmarthostAlerts(core.database, core.clock, core.poster, link_base=core.link_base)
    tasks = [
        MaintenanceTask("acknowledgements", ACKNOWLEDGEMENT_INTERVAL, acknowledgements.send_due, shared=False),
        MaintenanceTask("retention", RETENTION_INTERVAL, retention.sweep),
        MaintenanceTask("recheck", DOMAIN_INTERVAL, checks.recheck_due, shared=False),
        MaintenanceTask("domain_alerts", DOMAIN_INTERVAL, alerts.post_pending),
        MaintenanceTask("spam_alerts", SPAM_INTERVAL, spam_alerts.post_due),
        MaintenanceTask("smarthost_alerts", SMARTHOST_INTERVAL, smarthost_alerts.post_due),
        MaintenanceTask("tag_renames", RENAME_INTERVAL, TagService(core.database, core.clock).finish_renames),
    ]
    return Maintenance(core.database, core.clock, tasks)


def _optional_micros(period: timedelta | None) -> Micros | None:
    return None if period is None else to_micros(period)
