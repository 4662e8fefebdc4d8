"""Checks of the records that authenticate the mail of domains, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from config.outgoing import OutgoingSettings
from config.smarthost_url import SmarthostUrl, parse
from router.clock import Clock
from router.dns.answers import Lookup
from router.dns.verification import RecordReport, dump_records, load_records
from router.model import Domain, DomainKey, Micros
from router.replies import sending_state
from router.replies.records.check import (
    SendingCheck,
    SmarthostTerms,
    check_records,
    expected_reports,
    smarthost_terms,
)
from router.replies.sending_state import SendingChange
from router.store.database import Database, QueryExecutor, fetch_models
from router.store.fragments import model_values

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class SendingLookups:
    """DNS for the checks. `alternates` has a lookup for each configured name server except the first."""

    lookup: Lookup
    alternates: tuple[Lookup, ...] = ()


class SendingChecks:
    """Checks the sending records of domains."""

    def __init__(self, database: Database, clock: Clock, lookups: SendingLookups, settings: OutgoingSettings) -> None:
        self._database = database
        self._clock = clock
        self._lookups = lookups
        self._settings = settings

    async def query(self, domain: Domain) -> SendingCheck | None:
        """Queries the DNS. None if sending is off."""
        if domain.sending == "off":
            return None
        keys = await self.fetch_keys(self._database, domain)
        return await check_records(
            domain,
            keys,
            self.terms(domain),
            lookup=self._lookups.lookup,
            alternates=self._lookups.alternates,
            now=self._clock.now(),
        )

    async def record(
        self, transaction: QueryExecutor, domain: Domain, check: SendingCheck | None, *, by_user: bool
    ) -> Domain:
        """Stores the result of `query`, unless the keys have changed meanwhile. `domain` is locked."""
        keys = await self.fetch_keys(transaction, domain)
        if check is None or domain.sending == "off" or not _has_all_keys(domain, keys, check):
            return domain
        now = self._clock.now()
        change = sending_state.next_sending(domain, keys, check, now, counts_misses=not by_user)
        await _store_keys(transaction, domain, change, now)
        updated = replace(
            domain,
            sending=change.status,
            sending_records=dump_records(check.records),
            sending_checked_at=now,
            next_check_at=sending_state.next_check_at(domain, keys, change, check, now),
        )
        if change.event and not by_user:
            text = " ".join(filter(None, [domain.alert, _alert_text(updated, change, check.records)]))
            updated = replace(updated, alert=text, alert_at=now)
        await transaction.execute("domain_record_sending", **model_values(updated))
        if change.event or change.activated:
            log.info(
                "domain.sending_changed",
                domain=domain.name,
                domain_id=domain.id,
                sending=change.status,
                activated=list(change.activated),
            )
        return updated

    def reports(self, domain: Domain, keys: Sequence[DomainKey]) -> tuple[RecordReport, ...]:
        """Returns the records of the last check, or those to publish; () if sending is off."""
        if domain.sending == "off":
            return ()
        return load_records(domain.sending_records) or expected_reports(domain, keys, self.terms(domain))

    def terms(self, domain: Domain) -> SmarthostTerms:
        url, hint = self.find_url(domain), "" if domain.smarthost_hint else self._settings.spf_hint
        return smarthost_terms(domain, url, hint)

    def find_url(self, domain: Domain) -> SmarthostUrl | None:
        """Returns the smarthost of the domain, or that of the installation."""
        return parse(domain.smarthost_hint) if domain.smarthost_hint else self._settings.smarthost

    async def fetch_keys(self, executor: QueryExecutor, domain: Domain) -> list[DomainKey]:
        """Returns the keys in use, oldest first."""
        keys = await fetch_models(executor, DomainKey, "domain_keys", domain_id=domain.id)
        return [key for key in keys if key.algorithm == "rsa" or self._settings.dkim_ed25519]


def _has_all_keys(domain: Domain, keys: Sequence[DomainKey], check: SendingCheck) -> bool:
    checked = {record.name for record in check.records if record.purpose == "dkim"}
    return checked == {f"{key.selector}._domainkey.{domain.name}" for key in keys if key.retired_at is None}


async def _store_keys(transaction: QueryExecutor, domain: Domain, change: SendingChange, now: Micros) -> None:
    for selector in change.activated:
        await transaction.execute("domain_key_activate", domain_id=domain.id, selector=selector, now=now)
    for selector in change.retired:
        await transaction.execute("domain_key_retire", domain_id=domain.id, selector=selector, now=now)
    for selector in change.removed:
        await transaction.execute("domain_key_delete", domain_id=domain.id, selector=selector)


def _alert_text(domain: Domain, change: SendingChange, records: Sequence[RecordReport]) -> str:
    match change.event:
        case "active":
            return f"Replies can now be sent from {domain.name}: its DKIM record is correct."
        case "recovered":
            return f"Replies can be sent from {domain.name} again: its DKIM record is correct."
    fixes = " ".join(record.fix for record in records if record.purpose == "dkim" and record.status != "ok")
    return f"New replies cannot be sent from {domain.name}: its DKIM record is missing or wrong. {fixes}"
