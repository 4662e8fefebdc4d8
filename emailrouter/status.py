"""The status of the installation: ten lines that say what needs attention.

Changes nothing, posts nothing, and takes at most `LIMIT_SECONDS`. `emailrouter check` examines more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version

from config.schema import Config
from emailrouter import use_cases
from emailrouter.assembly.core import AnyDatabase
from emailrouter.check import certificate, disk, dns_records, ports
from emailrouter.check.check_context import CheckContext
from emailrouter.check.run import open_database
from router import ids
from router.admin.installation.attention import MAX_COUNTED, AttentionCounts, AttentionService
from router.admin.installation.health import OLD_DELIVERY_AGE, Health, HealthService
from router.admin.lookup import LookupService
from router.check_result import CheckResult, fail, ok, warn
from router.clock import SECOND, SystemClock
from router.errors import Unavailable
from router.model import Actor, Micros
from router.store.migrate import LATEST_VERSION

LIMIT_SECONDS = 1.2
MAX_WORKSPACES = 50
"""How many workspaces are included, to bound the time."""
MAX_MESSAGES = 10_000
_MAX_NAMES = 3
_DAY_SECONDS = 86_400
_UNKNOWN = "Find the reason: emailrouter check"

# The lines in the order of display.
_HOST_LINES = ("running", "certificate", "disk", "reachable")
_DATABASE_LINES = ("database", "mail", "deliveries", "integrations", "domains", "tickets")
LINES = ("running", *_DATABASE_LINES, "certificate", "disk", "reachable")

Numbers = dict[str, int | None]


@dataclass(frozen=True, slots=True)
class Status:
    """Attributes:
    lines: One result for each of `LINES` that could be determined.
    numbers: The numbers in the lines, by the names of the JSON output; empty without a database.
    """

    lines: Sequence[CheckResult]
    numbers: Numbers

    @property
    def is_ok(self) -> bool:
        return all(line.status == "ok" for line in self.lines)


@dataclass(frozen=True, slots=True)
class _WorkspaceStatus:
    counts: AttentionCounts
    health: Health
    unassigned: int
    spam_held: int


async def read_status(config: Config) -> Status:
    context = CheckContext(config, use_cases.build_resolver(config), SystemClock())
    host = (_running, _certificate, _disk, _reachable)
    (database_lines, numbers), host_lines = await asyncio.gather(
        _read_database(context),
        asyncio.gather(*(_limit(name, work, context) for name, work in zip(_HOST_LINES, host, strict=True))),
    )
    lines = {line.check: line for line in (*database_lines, *host_lines)}
    return Status([lines[name] for name in LINES if name in lines], numbers)


async def _limit(
    name: str, work: Callable[[CheckContext], Awaitable[CheckResult]], context: CheckContext
) -> CheckResult:
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            return replace(await work(context), check=name)
    except TimeoutError:
        return warn(name, f"unknown: no answer within {LIMIT_SECONDS:g} s", _UNKNOWN)
    except OSError as error:
        return fail(name, f"cannot be determined: {error}", _UNKNOWN)


# --- this host


async def _running(context: CheckContext) -> CheckResult:
    smtp, api = await asyncio.gather(ports.smtp_port(context), ports.api_port(context))
    # `smtp_port` also warns about a listen address that other hosts cannot reach; see `_reachable`.
    found = [*(result for result in smtp if not _is_about_reach(result)), *api]
    return _worst(found) or ok("running", "; ".join(result.text for result in found))


async def _reachable(context: CheckContext) -> CheckResult:
    """Whether other mail servers can send mail here, as far as this host can see."""
    smtp, hostname = await asyncio.gather(ports.smtp_port(context), dns_records.hostname(context))
    worst = _worst([*filter(_is_about_reach, smtp), *(each for each in hostname if each.check == "hostname")])
    if worst is None:
        return ok("reachable", hostname[0].text)
    return warn("reachable", f"not reachable from outside yet: {worst.text}", worst.fix)


def _is_about_reach(result: CheckResult) -> bool:
    return result.status == "warn" and "nothing listens" not in result.text


async def _certificate(context: CheckContext) -> CheckResult:
    found = await certificate.certificate(context)
    return _worst(found) or found[-1]


async def _disk(context: CheckContext) -> CheckResult:
    found = await disk.disk(context)
    return _worst(found) or ok("disk", "; ".join(result.text for result in found))


def _worst(results: Sequence[CheckResult]) -> CheckResult | None:
    """Returns the first failure, else the first warning, else None. Mentions the number of the others."""
    wrong = sorted((each for each in results if each.status != "ok"), key=lambda each: each.status != "fail")
    if not wrong:
        return None
    more = f" (and {len(wrong) - 1} more)" if wrong[1:] else ""
    return replace(wrong[0], text=wrong[0].text + more)


# --- the database


async def _read_database(context: CheckContext) -> tuple[list[CheckResult], Numbers]:
    config = context.config
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            database, problems = await open_database(config, LIMIT_SECONDS)
            if database is None:
                return problems, {}
            try:
                return await _read_lines(context, database)
            finally:
                await database.close()
    except TimeoutError:
        return [warn("database", f"{config.database.url} did not respond within {LIMIT_SECONDS:g} s", _UNKNOWN)], {}
    except Unavailable as error:
        return [fail("database", f"{config.database.url} cannot be used: {error}", _UNKNOWN)], {}


async def _read_lines(context: CheckContext, database: AnyDatabase) -> tuple[list[CheckResult], Numbers]:
    workspaces = await LookupService(database).list_workspaces()
    first_id = ids.first_id_within("msg", _DAY_SECONDS)
    actors = [Actor(each.id, "admin") for each in workspaces[:MAX_WORKSPACES]]
    messages, domains, found = await asyncio.gather(
        database.fetch_one("check_count_messages", first_id=first_id, limit=MAX_MESSAGES),
        database.fetch_all("check_domains", limit=1),
        asyncio.gather(*(_read_workspace(context, database, actor) for actor in actors)),
    )
    url = context.config.database.url
    omitted = f"; only {MAX_WORKSPACES} of {len(workspaces)} workspaces" if workspaces[MAX_WORKSPACES:] else ""
    about = f"emailrouter {version('emailrouter')}, {url}, schema {LATEST_VERSION}{omitted}"
    accepted = 0 if messages is None else messages["messages"]
    oldest_at = min((each.health.oldest_at for each in found if each.health.oldest_at is not None), default=None)
    numbers: Numbers = {
        "acceptedLast24h": accepted,
        "waitingDeliveries": sum(each.health.waiting + each.health.parked for each in found),
        "oldestWaitingSeconds": None if oldest_at is None else max(0, context.clock.now() - oldest_at) // SECOND,
        "failedDeliveries": sum(each.counts.failed for each in found),
        "failedReplies": sum(each.counts.failed_replies for each in found),
        "failingSmarthosts": max((each.counts.smarthosts for each in found), default=0),
        "failingIntegrations": sum(each.counts.failing for each in found),
        "unverifiedDomains": sum(each.counts.unverified + each.counts.missing for each in found),
        "unassignedTickets": sum(each.unassigned for each in found),
        "spamHeld": sum(each.spam_held for each in found),
    }
    lines = [
        ok("database", about)
        if workspaces
        else warn("database", f"{about}: no workspace yet", "Create one: emailrouter init"),
        ok("mail", f"{_count(accepted, 'message', MAX_MESSAGES)} accepted in the last 24 h"),
        _deliveries(numbers, found),
        _integrations(numbers, found),
        _domains(numbers, found, has_domains=bool(domains)),
        _tickets(numbers),
    ]
    return lines, numbers


async def _read_workspace(context: CheckContext, database: AnyDatabase, actor: Actor) -> _WorkspaceStatus:
    counts, health, tickets, spam = await asyncio.gather(
        AttentionService(database, context.clock).get_counts(actor),
        HealthService(database, context.clock).get(actor),
        database.fetch_one("overview_status", workspace_id=actor.workspace_id, limit=MAX_COUNTED),
        database.fetch_one("overview_spam", workspace_id=actor.workspace_id, limit=MAX_COUNTED),
    )
    unassigned, spam_held = 0 if tickets is None else tickets["unassigned"], 0 if spam is None else spam["spam"]
    return _WorkspaceStatus(counts, health, unassigned, spam_held)


def _tickets(numbers: Numbers) -> CheckResult:
    spam = _count(numbers["spamHeld"], "held as spam", plural="held as spam")
    return ok("tickets", f"{_count(numbers['unassignedTickets'], 'unassigned ticket')}, {spam}")


def _deliveries(numbers: Numbers, found: Sequence[_WorkspaceStatus]) -> CheckResult:
    failed, replies, smarthosts, oldest = (
        numbers[name] or 0
        for name in ("failedDeliveries", "failedReplies", "failingSmarthosts", "oldestWaitingSeconds")
    )
    queued, held = (sum(getattr(each.health, name) for each in found) for name in ("waiting", "parked"))
    age = f", the oldest for {_duration(oldest)}" if queued + held else ""
    text = f"{queued} queued, {held} held{age}; {_count(failed, 'failed delivery', plural='failed deliveries')}"
    if smarthosts:
        text = f"{text}; a smarthost is failing, which holds replies"
        return warn("deliveries", text, "Find the reason: emailrouter check")
    if replies:
        text = f"{text}, {_count(replies, 'reply', plural='replies')} failed or bounced"
    if failed:
        return warn("deliveries", text, "Find the reason: emailrouter delivery list --state dead")
    if replies:
        fix = "Find the reason: emailrouter reply list --state failed, or --state bounced"
        return warn("deliveries", text, fix)
    if oldest * SECOND > OLD_DELIVERY_AGE:
        if not all(each.health.deliverer_alive for each in found):
            return warn(
                "deliveries", f"{text}; no deliver process runs", "Start it: emailrouter serve, or emailrouter deliver"
            )
        return warn("deliveries", text, "Find the reason: emailrouter delivery list --state pending")
    return ok("deliveries", text)


def _integrations(numbers: Numbers, found: Sequence[_WorkspaceStatus]) -> CheckResult:
    if not numbers["failingIntegrations"]:
        return ok("integrations", "no failing integrations")
    names = [integration.name for each in found for integration in each.health.failing]
    text = f"{_count(numbers['failingIntegrations'], 'failing integration')}: {_enumerate(names)}"
    return warn("integrations", text, "Find the reason: emailrouter integration test NAME")


def _domains(numbers: Numbers, found: Sequence[_WorkspaceStatus], *, has_domains: bool) -> CheckResult:
    if not has_domains:
        return warn("domains", "no domains yet: no mail is accepted", "Add one: emailrouter domain add example.com")
    if not numbers["unverifiedDomains"]:
        return ok("domains", "the DNS records of all domains are correct")
    names = [domain.name for each in found for domain in each.health.domains]
    text = f"{_count(numbers['unverifiedDomains'], 'domain')} without correct DNS records: {_enumerate(names)}"
    domain = names[0] if len(names) == 1 else "DOMAIN"
    return warn("domains", text, f"See which records to set: emailrouter domain verify {domain}")


def _count(number: int | None, noun: str, maximum: int = MAX_COUNTED, *, plural: str = "") -> str:
    counted = number or 0
    return f"{counted}{'+' if counted >= maximum else ''} {noun if counted == 1 else plural or f'{noun}s'}"


def _duration(seconds: Micros) -> str:
    for size, unit in ((_DAY_SECONDS, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _enumerate(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MAX_NAMES} more" if names[_MAX_NAMES:] else ""
    return ", ".join(names[:_MAX_NAMES]) + more
