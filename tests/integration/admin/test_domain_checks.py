"""Rechecks, takeover, upstream relays and alerts, against a DNS server on loopback."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator

import pytest

from config.outgoing import OutgoingSettings
from router.admin.audit import AuditService
from router.admin.domains.domain_checks import DnsPolicy, DomainCheckService
from router.admin.domains.domains import DomainService
from router.admin.domains.sending_checks import SendingChecks, SendingLookups
from router.clock import SECOND
from router.dispatch.domain_alerts import DomainAlerts
from router.dns.caching_resolver import CachingResolver
from router.dns.resolver import DnsResolver
from router.dns.verification_state import DAY
from router.errors import Refused
from router.model import Actor, Domain
from tests.support import seeds
from tests.support.behaviours import FixedResponse
from tests.support.dns import DnsStandIn
from tests.support.installation import HOST, Installation
from tests.support.slack import SlackStandIn
from tests.support.stores import Store

NAME = "example.org"


class TwoWorkspaces:
    """Two workspaces that add the same domain."""

    def __init__(self, installation: Installation, dns: DnsStandIn, slack: SlackStandIn) -> None:
        self.installation, self.dns, self.slack = installation, dns, slack
        self.clock = installation.clock
        self.changes = 0
        self.checks = self.new_check_service()
        self.domains = DomainService(
            installation.database, self.clock, self.checks, mx_hosts=[(HOST, 10)], on_routing_change=self._changed
        )
        self.alerts = DomainAlerts(installation.database, self.clock, installation.core.poster)

    def new_check_service(self) -> DomainCheckService:
        """Returns a check service with its own resolver and cache, as in another process."""
        # The time limits are long, so that a slow machine causes no timeout.
        resolver = DnsResolver([("127.0.0.1", self.dns.port)], timeout=5, lifetime=10)
        policy = DnsPolicy(((HOST, 10),), "auto", DAY)
        shared = CachingResolver(resolver, self.clock)
        database = self.installation.database
        sending = SendingChecks(database, self.clock, SendingLookups(resolver.query), OutgoingSettings())
        return DomainCheckService(
            database, self.clock, shared, policy, sending, on_routing_change=self._changed, jitter=lambda: 0.5
        )

    def _changed(self) -> None:
        self.changes += 1

    async def create_workspaces(self) -> None:
        self.ours, self.theirs = [
            Actor(await seeds.insert_workspace(self.installation.database, n), "admin") for n in "AB"
        ]

    async def add(self, actor: Actor) -> Domain:
        domain = (await self.domains.create(actor, NAME)).domain
        await self.add_alias(actor, domain, "support", "ours" if actor is self.ours else "theirs")
        return domain

    async def add_verified(self) -> Domain:
        """Adds the domain to `ours` with its records."""
        domain = await self.add(self.ours)
        self.publish_records(domain)
        await self.domains.verify(self.ours, domain.id)
        return domain

    async def add_alias(self, actor: Actor, domain: Domain, name: str, channel: str) -> None:
        database, workspace_id = self.installation.database, actor.workspace_id
        encrypted = self.installation.core.box.encrypt(json.dumps({"webhookUrl": self.slack.url(channel)}))
        integration = await seeds.insert_integration(database, workspace_id, encrypted, name=channel)
        await seeds.insert_alias(database, workspace_id, domain.id, name, integration)

    def publish_records(self, *domains: Domain, mx: bool = True) -> None:
        self.dns.set(NAME, "MX", *([f"10 {HOST}."] if mx else []))
        self.dns.set(f"_emailrouter.{NAME}", "TXT", *(f"emailrouter-verification={d.token}" for d in domains))

    async def recheck_for_days(self, count: int) -> list[str]:
        """Runs two rechecks a day; returns the status of the domain of `ours` at the end of each day."""
        found: list[str] = []
        for _ in range(count):
            for _ in range(2):
                self.clock.advance(hours=12, minutes=1)
                await self.checks.recheck_due()
            found.append((await self.fetch_domain(self.ours)).status)
        return found

    async def fetch_domain(self, actor: Actor) -> Domain:
        (found,) = (await self.domains.list(actor)).items
        return found

    async def list_audit_actions(self, actor: Actor) -> list[str]:
        return [entry.action for entry in (await AuditService(self.installation.database).list(actor)).items]

    async def take_alerts(self) -> list[tuple[str, str]]:
        await self.alerts.post_pending()
        posts, self.slack.posts = list(self.slack.posts), deque()
        return [(post.path.rpartition("/")[2], str(json.loads(post.raw)["text"])) for post in posts]


@pytest.fixture
async def workspaces(store: Store, dns_server: DnsStandIn, slack: SlackStandIn) -> AsyncIterator[TwoWorkspaces]:
    installation = Installation(store)
    found = TwoWorkspaces(installation, dns_server, slack)
    await found.create_workspaces()
    yield found
    await installation.close()


async def test_a_recheck_verifies_a_pending_domain_and_posts_an_alert(workspaces: TwoWorkspaces) -> None:
    domain = await workspaces.add(workspaces.ours)
    await workspaces.checks.recheck_due()
    assert (await workspaces.fetch_domain(workspaces.ours)).status == "pending_verification"
    workspaces.publish_records(domain)
    workspaces.clock.advance(minutes=5)
    assert await workspaces.checks.recheck_due() == 0, "not every minute"
    workspaces.clock.advance(minutes=15)
    await workspaces.checks.recheck_due()
    found = await workspaces.fetch_domain(workspaces.ours)
    assert (found.status, found.verified_at) == ("active", workspaces.clock.now())
    assert workspaces.changes >= 1
    assert (await workspaces.list_audit_actions(workspaces.ours))[0] == "domain.verify"
    ((path, text),) = await workspaces.take_alerts()
    assert (path, text) == ("ours", f"Domain alert: {NAME} is verified: its mail is now accepted.")
    assert await workspaces.take_alerts() == []


async def test_missing_records_unverify_a_domain_after_days_and_a_warning(workspaces: TwoWorkspaces) -> None:
    domain = await workspaces.add_verified()
    workspaces.dns.remove(NAME)
    workspaces.dns.remove(f"_emailrouter.{NAME}")
    assert await workspaces.recheck_for_days(1) == ["active"]
    assert [text for _, text in await workspaces.take_alerts()] == []
    assert await workspaces.recheck_for_days(1) == ["active"]
    ((_, text),) = await workspaces.take_alerts()
    assert "Neither DNS record of example.org has been correct since 2030-01-0" in text
    assert "has no MX record" in text
    statuses = await workspaces.recheck_for_days(5)
    assert statuses[0] == "active"
    assert statuses[-1] == "pending_verification"
    ((_, text),) = await workspaces.take_alerts()
    assert "is no longer verified" in text
    assert (await workspaces.list_audit_actions(workspaces.ours))[0] == "domain.unverify"
    view = await workspaces.domains.get(workspaces.ours, domain.id)
    assert view.domain.verified_at is None
    assert {record.status for record in view.records} == {"missing"}


async def test_dns_failures_never_unverify(workspaces: TwoWorkspaces) -> None:
    await workspaces.add_verified()
    for name in (NAME, f"_emailrouter.{NAME}"):
        workspaces.dns.fail(name, "SERVFAIL")
    assert set(await workspaces.recheck_for_days(30)) == {"active"}
    assert (await workspaces.fetch_domain(workspaces.ours)).misses == 0


@pytest.mark.parametrize("left", ["mx", "txt"])
async def test_one_correct_record_keeps_a_domain_verified(workspaces: TwoWorkspaces, left: str) -> None:
    await workspaces.add_verified()
    workspaces.dns.remove(f"_emailrouter.{NAME}" if left == "mx" else NAME)
    assert set(await workspaces.recheck_for_days(10)) == {"active"}
    assert (await workspaces.take_alerts()) == []


async def test_restored_records_keep_a_domain_verified(workspaces: TwoWorkspaces) -> None:
    domain = await workspaces.add_verified()
    workspaces.dns.remove(NAME)
    workspaces.dns.remove(f"_emailrouter.{NAME}")
    await workspaces.recheck_for_days(2)
    assert len(await workspaces.take_alerts()) == 1
    workspaces.publish_records(domain)
    assert (await workspaces.recheck_for_days(10))[-1] == "active"
    assert [text for _, text in await workspaces.take_alerts()] == [
        f"Domain alert: The DNS records of {NAME} are correct again: the domain stays verified."
    ]


async def test_a_manual_check_never_unverifies(workspaces: TwoWorkspaces) -> None:
    domain = await workspaces.add_verified()
    workspaces.dns.remove(NAME)
    workspaces.dns.remove(f"_emailrouter.{NAME}")
    for _ in range(10):
        workspaces.clock.advance(days=1)
        view = await workspaces.domains.verify(workspaces.ours, domain.id)
    assert view.domain.status == "active"
    assert "has no MX record" in view.records[0].fix


async def test_rechecks_are_shared_among_processes(workspaces: TwoWorkspaces) -> None:
    domain = await workspaces.add(workspaces.ours)
    workspaces.publish_records(domain)
    await asyncio.gather(
        workspaces.checks.recheck_due(),
        workspaces.new_check_service().recheck_due(),
        workspaces.new_check_service().recheck_due(),
    )
    assert workspaces.dns.query_count(NAME, "MX") == 1


# --- takeover


async def test_a_domain_is_taken_over_only_by_its_txt_record(workspaces: TwoWorkspaces) -> None:
    ours, theirs = await workspaces.add(workspaces.ours), await workspaces.add(workspaces.theirs)
    workspaces.publish_records(ours)
    await workspaces.domains.verify(workspaces.ours, ours.id)
    assert (await workspaces.domains.verify(workspaces.theirs, theirs.id)).domain.status == "pending_verification"

    workspaces.publish_records(ours, theirs)  # while both records are published, the first workspace keeps the domain
    with pytest.raises(Refused, match="take it over") as refused:
        await workspaces.domains.verify(workspaces.theirs, theirs.id)
    assert refused.value.code == "domain_taken"

    workspaces.publish_records(theirs)
    workspaces.clock.advance(hours=13)
    await workspaces.checks.recheck_due()
    assert (await workspaces.fetch_domain(workspaces.ours)).status == "active", "a recheck moves no mail"

    taken = await workspaces.domains.verify(workspaces.theirs, theirs.id)
    assert taken.domain.status == "active"
    lost = await workspaces.fetch_domain(workspaces.ours)
    assert (lost.status, lost.verified_at) == ("pending_verification", None)
    assert (await workspaces.list_audit_actions(workspaces.ours))[0] == "domain.lose"
    assert (await workspaces.list_audit_actions(workspaces.theirs))[0] == "domain.verify"
    ((path, text),) = await workspaces.take_alerts()
    assert path == "ours"
    assert "another workspace has verified it by its TXT record" in text

    workspaces.publish_records(ours)  # the old record no longer verifies the domain
    assert lost.token != ours.token
    back = await workspaces.domains.verify(workspaces.ours, ours.id)
    assert back.domain.status == "pending_verification"
    workspaces.publish_records(lost)
    assert (await workspaces.domains.verify(workspaces.ours, ours.id)).domain.status == "active"
    assert (await workspaces.fetch_domain(workspaces.theirs)).status == "pending_verification"


async def test_one_of_two_concurrent_verifications_wins(workspaces: TwoWorkspaces) -> None:
    ours, theirs = await workspaces.add(workspaces.ours), await workspaces.add(workspaces.theirs)
    workspaces.publish_records(ours, theirs)
    outcomes = await asyncio.gather(
        workspaces.domains.verify(workspaces.ours, ours.id),
        workspaces.domains.verify(workspaces.theirs, theirs.id),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, Refused) for outcome in outcomes) == 1
    statuses = [(await workspaces.fetch_domain(actor)).status for actor in (workspaces.ours, workspaces.theirs)]
    assert sorted(statuses) == ["active", "pending_verification"]


# --- upstream relay


async def test_an_upstream_mx_makes_the_txt_record_the_proof(workspaces: TwoWorkspaces) -> None:
    domain = await workspaces.add(workspaces.ours)
    workspaces.dns.set(NAME, "MX", "5 filter.relay.test.")
    view = await workspaces.domains.set_mx_upstream(workspaces.ours, domain.id, True)
    assert view.domain.mx_managed == "upstream"
    assert view.records[0].expected == ()
    workspaces.dns.set(f"_emailrouter.{NAME}", "TXT", f"emailrouter-verification={domain.token}")
    view = await workspaces.domains.verify(workspaces.ours, domain.id)
    assert view.domain.status == "active"
    assert (view.records[0].status, view.records[0].found) == ("ok", ("5 filter.relay.test",))
    workspaces.dns.remove(NAME)
    assert set(await workspaces.recheck_for_days(8)) == {"active"}
    assert "cannot receive mail" in (await workspaces.domains.get(workspaces.ours, domain.id)).records[0].fix
    workspaces.dns.remove(f"_emailrouter.{NAME}")
    workspaces.dns.set(NAME, "MX", f"10 {HOST}.")  # an MX record is no proof in this mode
    assert (await workspaces.recheck_for_days(8))[-1] == "pending_verification"
    assert "domain.change" in await workspaces.list_audit_actions(workspaces.ours)


# --- alerts


async def test_an_unavailable_webhook_is_retried_and_no_alert_is_posted_twice(workspaces: TwoWorkspaces) -> None:
    domain = await workspaces.add(workspaces.ours)
    await workspaces.add_alias(workspaces.ours, domain, "billing", "second")
    workspaces.publish_records(domain)
    await workspaces.checks.recheck_due()
    workspaces.slack.script("second", FixedResponse(503, "later"))
    assert len(await workspaces.take_alerts()) == 2
    workspaces.clock.advance(minutes=1)
    assert [path for path, _ in await workspaces.take_alerts()] == ["second"]
    assert await workspaces.take_alerts() == []


async def test_an_alert_is_abandoned_after_a_day(workspaces: TwoWorkspaces) -> None:
    domain = await workspaces.add(workspaces.ours)
    workspaces.publish_records(domain)
    await workspaces.checks.recheck_due()
    await workspaces.slack.stop()
    assert await workspaces.alerts.post_pending() == 0
    workspaces.clock.advance(hours=25)
    assert await workspaces.alerts.post_pending() == 1
    assert (await workspaces.fetch_domain(workspaces.ours)).alert_at is None
    assert workspaces.clock.now() > SECOND
