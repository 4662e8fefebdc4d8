"""Checks the DNS records that authenticate the mail of domains: DKIM, SPF and DMARC."""

from __future__ import annotations

import asyncio

from emailrouter import use_cases
from emailrouter.check.check_context import CheckContext
from emailrouter.check.dns_records import MAX_CONCURRENT, MAX_DOMAINS
from router.admin.domains.sending_checks import SendingChecks
from router.check_result import CheckResult, fail, ok, warn
from router.dns.verification import RecordReport
from router.model import Domain
from router.replies.records.check import SendingCheck
from router.store.database import fetch_models


async def sending(context: CheckContext) -> list[CheckResult]:
    """Checks the domains from which replies are sent. Changes nothing."""
    if context.database is None:
        return []
    rows = await fetch_models(context.database, Domain, "check_sending_domains", limit=MAX_DOMAINS + 1)
    lookups = use_cases.find_lookups(context.resolver)
    checks = SendingChecks(context.database, context.clock, lookups, context.config.outgoing)
    semaphore = asyncio.Semaphore(MAX_CONCURRENT)

    async def check_one(domain: Domain) -> list[CheckResult]:
        async with semaphore:
            found = await checks.query(domain)
        return [] if found is None else _describe(domain, found)

    found = await asyncio.gather(*(check_one(row) for row in rows[:MAX_DOMAINS]))
    results = [result for each in found for result in each]
    if len(rows) > MAX_DOMAINS:
        results.append(ok("sending", f"only the records of the first {MAX_DOMAINS} domains were checked"))
    return results


def _describe(domain: Domain, check: SendingCheck) -> list[CheckResult]:
    name = f"sending {domain.name}"
    problems = [record for record in check.records if record.status != "ok"]
    if not problems:
        return [ok(name, "its DKIM, SPF and DMARC records are correct")]
    return [_describe_record(name, domain, record) for record in problems]


def _describe_record(name: str, domain: Domain, record: RecordReport) -> CheckResult:
    words = {"missing": "is missing", "wrong": "is wrong", "error": "could not be queried"}
    text = f"the {record.purpose.upper()} record {record.name} {words[record.status]}"
    is_lost = record.purpose == "dkim" and domain.sending in ("active", "failing") and record.status != "error"
    return (fail if is_lost else warn)(name, text, f"{record.fix} See the page of {domain.name}")
