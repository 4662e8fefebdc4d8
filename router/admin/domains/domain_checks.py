"""Checks of domains: verification, rechecks, takeover by another workspace.

A name is active in at most one workspace. Only a check that a user starts can take over a name. A takeover requires
that the TXT record of the user's workspace is published and that of the other workspace is not. The domain of the
other workspace then receives a new token, so that the old record is useless. Audit entries and alerts are written in
the transaction of the change.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

import structlog

from router.admin import audit
from router.admin.domains.sending_checks import SendingChecks
from router.clock import SECOND, Clock
from router.dns import verification_state
from router.dns.caching_resolver import CachingResolver
from router.dns.records import TXT_PREFIX, txt_value
from router.dns.resolver import DnsFailure, DnsRecords, MxRecord, NoDnsRecord, RecordResolver
from router.dns.verification import (
    VerificationMode,
    VerificationResult,
    automatic_mode,
    check_domain,
    dump_records,
)
from router.dns.verification_state import Change, VerificationState
from router.model import Actor, Domain, Micros
from router.store.database import Database, QueryExecutor, fetch_models
from router.store.fragments import model_values

TOKEN_BYTES = 20  # the token of another workspace cannot be guessed
MAX_CONCURRENT_CHECKS = 8  # in one batch of rechecks
BATCH_SIZE = 200
PREVIEW_SECONDS = 4.0  # a person waits for a preview
# If a process is killed during a check, another process can check the domain after this time.
CLAIM_DURATION: Micros = 600 * SECOND

log = structlog.get_logger()


def new_token() -> str:
    return secrets.token_hex(TOKEN_BYTES)


@dataclass(frozen=True, slots=True)
class DnsPolicy:
    """The settings of domain checks. `mx_hosts` are pairs of host and priority."""

    mx_hosts: tuple[tuple[str, int], ...]
    verification: Literal["auto", "mx", "txt", "mx+txt"]
    recheck_interval: Micros = verification_state.DAY


@dataclass(frozen=True, slots=True)
class DomainCheckResult:
    """The result of a check.

    Attributes:
        domain: The domain after the check; None if it was deleted meanwhile.
        is_taken: The records are correct, but the name stays active in another workspace.
    """

    domain: Domain | None
    is_taken: bool = False


class DomainCheckService:
    """Checks domains. `on_routing_change` is called after the commit of a change that affects routing."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        resolver: CachingResolver,
        policy: DnsPolicy,
        sending: SendingChecks,
        *,
        on_routing_change: Callable[[], None],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._clock = clock
        self._resolver = resolver
        self._policy = policy
        self.sending = sending
        self._on_routing_change = on_routing_change
        self._jitter = jitter

    async def recheck_due(self) -> int:
        """Rechecks all due domains of all workspaces and returns the number that this process found.

        If several processes find the same domain, only one of them checks it.
        """
        checked = 0
        while True:
            now = self._clock.now()
            # A due time after `latest_due` is implausible, so the check is due now.
            latest_due = now + 2 * max(self._policy.recheck_interval, verification_state.DAY)
            due = await fetch_models(
                self._database, Domain, "domain_due_checks", now=now, latest_plausible=latest_due, limit=BATCH_SIZE
            )
            slots = asyncio.Semaphore(MAX_CONCURRENT_CHECKS)
            outcomes = await asyncio.gather(
                *(self._recheck(domain, now, latest_due, slots) for domain in due), return_exceptions=True
            )
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    raise outcome
            checked += len(due)
            if len(due) < BATCH_SIZE:
                return checked

    async def _recheck(self, domain: Domain, now: Micros, latest_due: Micros, slots: asyncio.Semaphore) -> None:
        async with slots:
            if not await self._database.execute(
                "domain_claim_check", id=domain.id, now=now, latest_plausible=latest_due, until=now + CLAIM_DURATION
            ):
                return
            await self.check(domain, None)

    async def check(self, domain: Domain, actor: Actor | None) -> DomainCheckResult:
        """Queries the DNS and saves the result unless the domain changed meanwhile. `actor` is None for a recheck."""
        result, sending = await asyncio.gather(
            self._query_records(domain, self._resolver if actor is None else self._resolver.uncached),
            self.sending.query(domain),
        )
        async with self._database.transaction() as transaction:
            rows = await fetch_models(transaction, Domain, "domain_lock_name", name=domain.name)
            current = next((row for row in rows if row.id == domain.id), None)
            if current is None:
                return DomainCheckResult(None)
            if current.token != domain.token or current.mx_managed != domain.mx_managed:
                return DomainCheckResult(current)  # the result no longer applies
            other = next((row for row in rows if row.status == "active" and row.id != domain.id), None)
            is_taken = other is not None and result.is_verified and not _can_take_over(result, other, actor)
            if is_taken:
                result = replace(result, is_verified=False)
            now = self._clock.now()
            outcome = verification_state.next_state(
                VerificationState(current.status, current.misses, current.missing_since),
                result,
                now,
                counts_misses=actor is None,
            )
            if other is not None and outcome.change == "verified":
                await self._revoke(transaction, other, now)
            updated = self._apply_outcome(current, result, outcome, now, notify=actor is None)
            await transaction.execute("domain_record_check", **model_values(updated))
            updated = await self.sending.record(transaction, updated, sending, by_user=actor is not None)
            if outcome.status != current.status:
                await _record_transition(transaction, updated, actor, now, took_over=other is not None)
        if outcome.change:
            log.info(
                "domain.verification_changed",
                change=outcome.change,
                domain=domain.name,
                domain_id=domain.id,
                by_recheck=actor is None,
            )
        if outcome.status != current.status:
            self._on_routing_change()
        return DomainCheckResult(updated, is_taken)

    async def query_mx(self, name: str) -> DnsRecords[MxRecord] | NoDnsRecord | DnsFailure:
        """Queries the MX records of any name, without the cache, within `PREVIEW_SECONDS`."""
        try:
            async with asyncio.timeout(PREVIEW_SECONDS):
                return await self._resolver.uncached.query_mx(name)
        except TimeoutError:
            return DnsFailure(f"no name server responded within {PREVIEW_SECONDS:g} s")

    async def _query_records(self, domain: Domain, resolver: RecordResolver) -> VerificationResult:
        mode = await self.verification_mode(self._database, domain)
        return await check_domain(domain, self._policy.mx_hosts, mode, resolver=resolver, now=self._clock.now())

    async def _revoke(self, transaction: QueryExecutor, domain: Domain, now: Micros) -> None:
        alert = (
            f"{domain.name} is no longer verified in this workspace: another workspace has verified it by its TXT "
            "record and now receives its mail. Existing tickets stay in this workspace."
        )
        revoked = replace(
            domain,
            status="pending_verification",
            token=new_token(),
            records="[]",
            verified_at=None,
            checked_at=None,
            misses=0,
            missing_since=None,
            next_check_at=now + self._policy.recheck_interval,
            alert=alert,
            alert_at=now,
        )
        await transaction.execute("domain_record_check", **model_values(revoked))
        # The keys of a domain stay with its verified owner: another workspace makes its own.
        await transaction.execute("domain_set_sending", id=domain.id, sending="off")
        await transaction.execute("domain_keys_delete", domain_id=domain.id)
        system = Actor(domain.workspace_id, "admin")
        await audit.record(transaction, system, now, "domain.lose", domain.id, domain=domain.name)
        log.warning("domain.ownership_lost", domain=domain.name, domain_id=domain.id)

    def _apply_outcome(
        self, domain: Domain, result: VerificationResult, outcome: VerificationState, now: Micros, *, notify: bool
    ) -> Domain:
        is_activated = outcome.status == "active" and domain.status != "active"
        alert = _alert_text(domain, result, outcome.change) if notify or outcome.change == "recovered" else ""
        return replace(
            domain,
            records=dump_records(result.records),
            checked_at=now,
            status=outcome.status,
            verified_at=now if is_activated else domain.verified_at if outcome.status == "active" else None,
            misses=outcome.misses,
            missing_since=outcome.missing_since,
            next_check_at=verification_state.next_check_at(
                outcome,
                now,
                created_at=domain.created_at,
                interval=self._policy.recheck_interval,
                jitter=self._jitter(),
            ),
            alert=alert or domain.alert,
            alert_at=now if alert else domain.alert_at,
        )

    async def verification_mode(self, transaction: QueryExecutor, domain: Domain) -> VerificationMode:
        """Returns the records that verify a domain."""
        if domain.mx_managed == "upstream":
            return "txt"
        if self._policy.verification != "auto":
            return self._policy.verification
        row = await transaction.fetch_one("workspace_count")
        return automatic_mode(row["workspaces"] if row else 0)


async def _record_transition(
    transaction: QueryExecutor, domain: Domain, actor: Actor | None, now: Micros, *, took_over: bool
) -> None:
    await transaction.execute("routing_increment_version")
    await audit.record(
        transaction,
        actor or Actor(domain.workspace_id, "admin"),
        now,
        "domain.verify" if domain.status == "active" else "domain.unverify",
        domain.id,
        domain=domain.name,
        by=None if actor is not None else "recheck",
        takenOver=True if took_over else None,
    )


def _can_take_over(result: VerificationResult, other: Domain, actor: Actor | None) -> bool:
    """Returns whether a check can take the name over from `other`.

    A recheck never can, because only a user may move mail between workspaces.
    """
    return actor is not None and result.has_correct_txt and txt_value(other.token) not in result.txt_values


def domain_taken_message(name: str) -> str:
    return (
        f"{name} is active in another workspace: to take it over, publish this workspace's TXT record, remove every "
        f"other {TXT_PREFIX.rstrip('=')} record of that name, then verify the domain again"
    )


def _alert_text(domain: Domain, result: VerificationResult, change: Change) -> str:
    since = "" if domain.missing_since is None else f" since {_format_date(domain.missing_since)}"
    fixes = " ".join(record.fix for record in result.records if record.status in ("missing", "wrong"))
    days = verification_state.MIN_MISSING_TIME // verification_state.DAY
    match change:
        case "verified":
            return f"{domain.name} is verified: its mail is now accepted."
        case "failing":
            return (
                f"Neither DNS record of {domain.name} has been correct{since}. After {days} days without a correct "
                f"record, the domain becomes unverified and its mail is temporarily rejected. {fixes}"
            )
        case "recovered":
            return f"The DNS records of {domain.name} are correct again: the domain stays verified."
        case "unverified":
            return (
                f"{domain.name} is no longer verified: neither of its DNS records has been correct{since}. Its mail is "
                f"temporarily rejected until one of them is fixed; senders retry it. {fixes}"
            )
        case _:
            return ""


def _format_date(at: Micros) -> str:
    return datetime.fromtimestamp(at // SECOND, UTC).strftime("%Y-%m-%d")
