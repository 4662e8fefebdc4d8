"""A domain's check from question to consequence: proved, doubted, given up, taken over.

Promise: one name is active in one workspace. Whoever proves it while another workspace has it gets it only by a
person's wish, with its own TXT record in place and the other's gone from the DNS; the loser becomes pending, with a new
token, so that its old record proves nothing. `router.dns.verification_state` decides what a recheck means. Changes of
the status are logged, audited and queued as an alert to the domain's integrations (`router.dispatch.domain_alerts`) in
the transaction that makes it; its records show the rest.
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
from router.clock import SECOND, Clock
from router.dns import verification_state
from router.dns.caching_resolver import CachingResolver
from router.dns.records import TXT_PREFIX, txt_value
from router.dns.resolver import RecordResolver
from router.dns.verification import VerificationMode, VerificationResult, check_domain, dump_records
from router.dns.verification_state import Change, VerificationState
from router.model import Actor, Domain, Micros
from router.store.database import Database, QueryExecutor, fetch_models

TOKEN_BYTES = 20  # 160 bits: nobody guesses what another workspace has to publish
MAX_CONCURRENT_CHECKS = 8  # domains of one round that are looked at beside each other
BATCH_SIZE = 200
# A process that is killed while it looks at a domain leaves it to the others for so long.
CLAIM_DURATION: Micros = 600 * SECOND

log = structlog.get_logger()


def new_token() -> str:
    """What a domain's TXT record has to say."""
    return secrets.token_hex(TOKEN_BYTES)


@dataclass(frozen=True, slots=True)
class DnsPolicy:
    """mx_hosts: (host, priority) pairs of `[server] mx_hosts`. The rest is `[dns]`, the interval in microseconds."""

    mx_hosts: tuple[tuple[str, int], ...]
    verification: Literal["auto", "mx", "txt", "mx+txt"]
    recheck_interval: Micros = verification_state.DAY


@dataclass(frozen=True, slots=True)
class DomainCheckResult:
    """What a check left: the domain (None: it went away meanwhile), and whether its proof is worth nothing because
    another workspace has the name.
    """

    domain: Domain | None
    is_taken: bool = False


class DomainCheckService:
    """changed: called after the commit of what changes how mail is routed (`Directory.forget`)."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        resolver: CachingResolver,
        policy: DnsPolicy,
        *,
        on_routing_change: Callable[[], None],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._clock = clock
        self._resolver = resolver
        self._policy = policy
        self._on_routing_change = on_routing_change
        self._jitter = jitter

    async def recheck_due(self) -> int:
        """Looks at the domains of all workspaces whose time has come; returns how many. Processes share the work."""
        done = 0
        while True:
            now = self._clock.now()
            # A time further ahead than any recheck lies was written by a clock that was wrong.
            impossible = now + 2 * max(self._policy.recheck_interval, verification_state.DAY)
            due = await fetch_models(
                self._database, Domain, "domain_due_checks", now=now, latest_plausible=impossible, limit=BATCH_SIZE
            )
            places = asyncio.Semaphore(MAX_CONCURRENT_CHECKS)
            outcomes = await asyncio.gather(
                *(self._recheck(domain, now, impossible, places) for domain in due), return_exceptions=True
            )
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    raise outcome  # after all of them have ended
            done += len(due)
            if len(due) < BATCH_SIZE:
                return done

    async def _recheck(self, domain: Domain, now: Micros, impossible: Micros, places: asyncio.Semaphore) -> None:
        async with places:
            if not await self._database.execute(
                "domain_claim_check", id=domain.id, now=now, latest_plausible=impossible, until=now + CLAIM_DURATION
            ):
                return
            await self.check(domain, None)

    async def check(self, domain: Domain, actor: Actor | None) -> DomainCheckResult:
        """Asks the DNS and writes what follows. actor: the person who asks, None for a recheck."""
        verdict = await self._query_records(domain, self._resolver if actor is None else self._resolver.uncached)
        async with self._database.transaction() as transaction:
            rows = await fetch_models(transaction, Domain, "domain_lock_name", name=domain.name)
            current = next((row for row in rows if row.id == domain.id), None)
            if current is None:
                return DomainCheckResult(None)
            if current.token != domain.token or current.mx_managed != domain.mx_managed:
                return DomainCheckResult(current)  # changed while we asked: the verdict is about something else
            rival = next((row for row in rows if row.status == "active" and row.id != domain.id), None)
            taken = rival is not None and verdict.is_verified and not _can_take_over(verdict, rival, actor)
            if taken:
                verdict = replace(verdict, is_verified=False)
            now = self._clock.now()
            outcome = verification_state.next_state(
                VerificationState(current.status, current.misses, current.missing_since),
                verdict,
                now,
                counts_misses=actor is None,
            )
            if rival is not None and outcome.change == "verified":
                await self._revoke(transaction, rival, now)
            updated = self._apply_outcome(current, verdict, outcome, now, notify=actor is None)
            await _update_domain(transaction, updated)
            if outcome.status != current.status:
                await transaction.execute("routing_increment_version")
                await audit.record(
                    transaction,
                    actor or Actor(domain.workspace_id, "admin"),
                    now,
                    "domain.verify" if outcome.status == "active" else "domain.unverify",
                    domain.id,
                    domain=domain.name,
                    by=None if actor is not None else "recheck",
                    takenOver=True if rival is not None else None,
                )
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
        return DomainCheckResult(updated, taken)

    async def _query_records(self, domain: Domain, resolver: RecordResolver) -> VerificationResult:
        return await check_domain(
            domain.name,
            domain.token,
            self._policy.mx_hosts,
            await self.verification_mode(self._database, domain),
            resolver=resolver,
            now=self._clock.now(),
            upstream=domain.mx_managed == "upstream",
        )

    async def _revoke(self, transaction: QueryExecutor, domain: Domain, now: Micros) -> None:
        """Another workspace has proved that the domain is its own."""
        sentence = (
            f"{domain.name} is no longer verified in this workspace: another workspace has verified it by its TXT "
            "record and now receives its mail. Existing tickets stay in this workspace."
        )
        await _update_domain(
            transaction,
            replace(
                domain,
                status="pending_verification",
                token=new_token(),
                records="[]",
                verified_at=None,
                checked_at=None,
                misses=0,
                missing_since=None,
                next_check_at=now + self._policy.recheck_interval,
                alert=sentence,
                alert_at=now,
            ),
        )
        loser = Actor(domain.workspace_id, "admin")
        await audit.record(transaction, loser, now, "domain.lose", domain.id, domain=domain.name)
        log.warning("domain.ownership_lost", domain=domain.name, domain_id=domain.id)

    def _apply_outcome(
        self, domain: Domain, verdict: VerificationResult, outcome: VerificationState, now: Micros, *, notify: bool
    ) -> Domain:
        activated = outcome.status == "active" and domain.status != "active"
        sentence = _alert_text(domain, verdict, outcome.change) if notify or outcome.change == "recovered" else ""
        return replace(
            domain,
            records=dump_records(verdict.records),
            checked_at=now,
            status=outcome.status,
            verified_at=now if activated else domain.verified_at if outcome.status == "active" else None,
            misses=outcome.misses,
            missing_since=outcome.missing_since,
            next_check_at=verification_state.next_check_at(
                outcome,
                now,
                created_at=domain.created_at,
                interval=self._policy.recheck_interval,
                jitter=self._jitter(),
            ),
            alert=sentence or domain.alert,
            alert_at=now if sentence else domain.alert_at,
        )

    async def verification_mode(self, transaction: QueryExecutor, domain: Domain) -> VerificationMode:
        """Which records prove the domain.

        `auto`: with several workspaces the MX records prove nothing about which of them owns the domain.
        """
        if domain.mx_managed == "upstream":
            return "txt"
        if self._policy.verification != "auto":
            return self._policy.verification
        row = await transaction.fetch_one("workspace_count")
        return "mx" if row is None or row["workspaces"] <= 1 else "mx+txt"


def _can_take_over(verdict: VerificationResult, rival: Domain, actor: Actor | None) -> bool:
    """By TXT alone, and by a person's wish: a recheck must not move mail between workspaces."""
    return actor is not None and verdict.has_correct_txt and txt_value(rival.token) not in verdict.txt_values


def domain_taken_message(name: str) -> str:
    """Why a proof was not enough, and what would be."""
    return (
        f"{name} is active in another workspace: to take it over, publish this workspace's TXT record, remove every "
        f"other {TXT_PREFIX.rstrip('=')} record of that name, then verify the domain again"
    )


async def _update_domain(transaction: QueryExecutor, domain: Domain) -> None:
    await transaction.execute(
        "domain_record_check",
        id=domain.id,
        token=domain.token,
        records=domain.records,
        checked_at=domain.checked_at,
        status=domain.status,
        verified_at=domain.verified_at,
        misses=domain.misses,
        missing_since=domain.missing_since,
        next_check_at=domain.next_check_at,
        alert=domain.alert,
        alert_at=domain.alert_at,
    )


def _alert_text(domain: Domain, verdict: VerificationResult, change: Change) -> str:
    """What the domain's integrations are told, "" for nothing."""
    since = "" if domain.missing_since is None else f" since {_format_date(domain.missing_since)}"
    fixes = " ".join(record.fix for record in verdict.records if record.status in ("missing", "wrong"))
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
