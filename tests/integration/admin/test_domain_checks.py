"""Rechecks, takeover, upstream relays and alerts, on both databases, against a DNS server on loopback."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator

import pytest

from router.admin.audit import AuditService
from router.admin.domains.domain_checks import DnsPolicy, DomainCheckService
from router.admin.domains.domains import DomainService
from router.clock import SECOND
from router.dispatch.domain_alerts import DomainAlerts
from router.dns.caching_resolver import CachingResolver
from router.dns.resolver import DnsResolver
from router.dns.verification_state import DAY
from router.errors import Refused
from router.model import Actor, Domain
from tests.support import seeds
from tests.support.dns import DnsStandIn
from tests.support.installation import HOST, Installation
from tests.support.slack import FixedResponse, SlackStandIn
from tests.support.stores import Store

NAME = "example.org"


class TwoWorkspaces:
    """Two workspaces that add the same domain, each with an alias and its own webhook."""

    def __init__(self, installation: Installation, dns: DnsStandIn, slack: SlackStandIn) -> None:
        self.installation, self.dns, self.slack = installation, dns, slack
        self.clock = installation.clock
        self.changes = 0
        self.checks = self.another()
        self.domains = DomainService(
            installation.database, self.clock, self.checks, mx_hosts=[(HOST, 10)], on_routing_change=self._changed
        )
        self.alerts = DomainAlerts(installation.database, self.clock, installation.core.poster)

    def another(self) -> DomainCheckService:
        """Builds the check service of another process."""
        resolver = DnsResolver([("127.0.0.1", self.dns.port)], timeout=5, lifetime=10)  # the server always responds
        policy = DnsPolicy(((HOST, 10),), "auto", DAY)
        shared = CachingResolver(resolver, self.clock)
        database = self.installation.database
        return DomainCheckService(
            database, self.clock, shared, policy, on_routing_change=self._changed, jitter=lambda: 0.5
        )

    def _changed(self) -> None:
        self.changes += 1

    async def build(self) -> None:
        self.ours, self.theirs = [
            Actor(await seeds.insert_workspace(self.installation.database, n), "admin") for n in "AB"
        ]

    async def add(self, actor: Actor) -> Domain:
        """Adds the domain with an alias whose tickets are posted to the webhook of the workspace."""
        domain = (await self.domains.create(actor, NAME)).domain
        await self.add_alias(actor, domain, "support", "ours" if actor is self.ours else "theirs")
        return domain

    async def add_alias(self, actor: Actor, domain: Domain, name: str, channel: str) -> None:
        database, workspace_id = self.installation.database, actor.workspace_id
        sealed = self.installation.core.box.encrypt(json.dumps({"webhookUrl": self.slack.url(channel)}))
        integration = await seeds.insert_integration(database, workspace_id, sealed, name=channel)
        await seeds.insert_alias(database, workspace_id, domain.id, name, integration)

    def prove(self, *domains: Domain, mx: bool = True) -> None:
        self.dns.set(NAME, "MX", *([f"10 {HOST}."] if mx else []))
        self.dns.set(f"_emailrouter.{NAME}", "TXT", *(f"emailrouter-verification={d.token}" for d in domains))

    async def days(self, count: int) -> list[str]:
        """Runs two rechecks a day; returns the status of the first workspace's domain at the end of each day."""
        found: list[str] = []
        for _ in range(count):
            for _ in range(2):
                self.clock.advance(hours=12, minutes=1)
                await self.checks.recheck_due()
            found.append((await self.row(self.ours)).status)
        return found

    async def row(self, actor: Actor) -> Domain:
        (found,) = (await self.domains.list(actor)).items
        return found

    async def actions(self, actor: Actor) -> list[str]:
        return [entry.action for entry in (await AuditService(self.installation.database).list(actor)).items]

    async def take_alerts(self) -> list[tuple[str, str]]:
        """Posts pending alerts; returns (channel, text) of the posts since the last call."""
        await self.alerts.post_pending()
        posts, self.slack.posts = list(self.slack.posts), deque()
        return [(post.path.rpartition("/")[2], str(json.loads(post.raw)["text"])) for post in posts]


@pytest.fixture
async def two(store: Store, dns_server: DnsStandIn, slack: SlackStandIn) -> AsyncIterator[TwoWorkspaces]:
    installation = Installation(store)
    found = TwoWorkspaces(installation, dns_server, slack)
    await found.build()
    yield found
    await installation.close()


async def test_a_recheck_verifies_a_pending_domain_and_posts_an_alert(two: TwoWorkspaces) -> None:
    domain = await two.add(two.ours)
    await two.checks.recheck_due()
    assert (await two.row(two.ours)).status == "pending_verification"
    two.prove(domain)
    two.clock.advance(minutes=5)
    assert await two.checks.recheck_due() == 0, "not every minute"
    two.clock.advance(minutes=15)
    await two.checks.recheck_due()
    found = await two.row(two.ours)
    assert (found.status, found.verified_at) == ("active", two.clock.now())
    assert two.changes >= 1
    assert (await two.actions(two.ours))[0] == "domain.verify"
    ((path, text),) = await two.take_alerts()
    assert (path, text) == ("ours", f"Domain alert: {NAME} is verified: its mail is now accepted.")
    assert await two.take_alerts() == []


async def test_missing_records_unverify_a_domain_after_days_and_a_warning(two: TwoWorkspaces) -> None:
    domain = await two.add(two.ours)
    two.prove(domain)
    await two.domains.verify(two.ours, domain.id)
    two.dns.remove(NAME)
    two.dns.remove(f"_emailrouter.{NAME}")
    assert await two.days(1) == ["active"]
    assert [text for _, text in await two.take_alerts()] == []
    assert await two.days(1) == ["active"]
    ((_, text),) = await two.take_alerts()
    assert "Neither DNS record of example.org has been correct since 2030-01-0" in text
    assert "has no MX record" in text
    statuses = await two.days(5)
    assert statuses[0] == "active"
    assert statuses[-1] == "pending_verification"
    ((_, text),) = await two.take_alerts()
    assert "is no longer verified" in text
    assert (await two.actions(two.ours))[0] == "domain.unverify"
    view = await two.domains.get(two.ours, domain.id)
    assert view.domain.verified_at is None
    assert {record.status for record in view.records} == {"missing"}


async def test_dns_failures_never_unverify(two: TwoWorkspaces) -> None:
    domain = await two.add(two.ours)
    two.prove(domain)
    await two.domains.verify(two.ours, domain.id)
    for name in (NAME, f"_emailrouter.{NAME}"):
        two.dns.fail(name, "SERVFAIL")
    assert set(await two.days(30)) == {"active"}
    assert (await two.row(two.ours)).misses == 0


@pytest.mark.parametrize("left", ["mx", "txt"])
async def test_one_correct_record_keeps_a_domain_verified(two: TwoWorkspaces, left: str) -> None:
    domain = await two.add(two.ours)
    two.prove(domain)
    await two.domains.verify(two.ours, domain.id)
    two.dns.remove(f"_emailrouter.{NAME}" if left == "mx" else NAME)
    assert set(await two.days(10)) == {"active"}
    assert (await two.take_alerts()) == []


async def test_restored_records_keep_a_domain_verified(two: TwoWorkspaces) -> None:
    domain = await two.add(two.ours)
    two.prove(domain)
    await two.domains.verify(two.ours, domain.id)
    two.dns.remove(NAME)
    two.dns.remove(f"_emailrouter.{NAME}")
    await two.days(2)
    assert len(await two.take_alerts()) == 1
    two.prove(domain)
    assert (await two.days(10))[-1] == "active"
    assert [text for _, text in await two.take_alerts()] == [
        f"Domain alert: The DNS records of {NAME} are correct again: the domain stays verified."
    ]


async def test_a_manual_check_never_unverifies(two: TwoWorkspaces) -> None:
    domain = await two.add(two.ours)
    two.prove(domain)
    await two.domains.verify(two.ours, domain.id)
    two.dns.remove(NAME)
    two.dns.remove(f"_emailrouter.{NAME}")
    for _ in range(10):
        two.clock.advance(days=1)
        view = await two.domains.verify(two.ours, domain.id)
    assert view.domain.status == "active"
    assert "has no MX record" in view.records[0].fix


async def test_rechecks_are_shared_among_processes(two: TwoWorkspaces) -> None:
    domain = await two.add(two.ours)
    two.prove(domain)
    await asyncio.gather(two.checks.recheck_due(), two.another().recheck_due(), two.another().recheck_due())
    assert two.dns.query_count(NAME, "MX") == 1


# --- takeover


async def test_a_domain_is_taken_over_only_by_its_txt_record(two: TwoWorkspaces) -> None:
    ours, theirs = await two.add(two.ours), await two.add(two.theirs)
    two.prove(ours)
    await two.domains.verify(two.ours, ours.id)
    assert (await two.domains.verify(two.theirs, theirs.id)).domain.status == "pending_verification"

    two.prove(ours, theirs)  # while both records are published, the first workspace keeps the name
    with pytest.raises(Refused, match="take it over") as refused:
        await two.domains.verify(two.theirs, theirs.id)
    assert refused.value.code == "domain_taken"

    two.prove(theirs)
    two.clock.advance(hours=13)
    await two.checks.recheck_due()
    assert (await two.row(two.ours)).status == "active", "a recheck moves no mail between workspaces"

    taken = await two.domains.verify(two.theirs, theirs.id)
    assert taken.domain.status == "active"
    lost = await two.row(two.ours)
    assert (lost.status, lost.verified_at) == ("pending_verification", None)
    assert (await two.actions(two.ours))[0] == "domain.lose"
    assert (await two.actions(two.theirs))[0] == "domain.verify"
    ((path, text),) = await two.take_alerts()
    assert path == "ours"
    assert "another workspace has verified it by its TXT record" in text

    two.prove(ours)  # the old record no longer verifies the domain
    assert lost.token != ours.token
    back = await two.domains.verify(two.ours, ours.id)
    assert back.domain.status == "pending_verification"
    two.prove(lost)
    assert (await two.domains.verify(two.ours, ours.id)).domain.status == "active"
    assert (await two.row(two.theirs)).status == "pending_verification"


async def test_one_of_two_concurrent_verifications_wins(two: TwoWorkspaces) -> None:
    ours, theirs = await two.add(two.ours), await two.add(two.theirs)
    two.prove(ours, theirs)
    outcomes = await asyncio.gather(
        two.domains.verify(two.ours, ours.id),
        two.domains.verify(two.theirs, theirs.id),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, Refused) for outcome in outcomes) == 1
    statuses = [(await two.row(actor)).status for actor in (two.ours, two.theirs)]
    assert sorted(statuses) == ["active", "pending_verification"]


# --- upstream relay


async def test_an_upstream_mx_makes_the_txt_record_the_proof(two: TwoWorkspaces) -> None:
    domain = await two.add(two.ours)
    two.dns.set(NAME, "MX", "5 filter.relay.test.")
    view = await two.domains.set_mx_upstream(two.ours, domain.id, True)
    assert view.domain.mx_managed == "upstream"
    assert view.records[0].expected == ()
    two.dns.set(f"_emailrouter.{NAME}", "TXT", f"emailrouter-verification={domain.token}")
    view = await two.domains.verify(two.ours, domain.id)
    assert view.domain.status == "active"
    assert (view.records[0].status, view.records[0].found) == ("ok", ("5 filter.relay.test",))
    two.dns.remove(NAME)
    assert set(await two.days(8)) == {"active"}
    assert "cannot receive mail" in (await two.domains.get(two.ours, domain.id)).records[0].fix
    two.dns.remove(f"_emailrouter.{NAME}")
    two.dns.set(NAME, "MX", f"10 {HOST}.")  # not required in this mode
    assert (await two.days(8))[-1] == "pending_verification"
    assert "domain.change" in await two.actions(two.ours)


# --- alerts


async def test_an_unavailable_webhook_is_retried_and_no_alert_is_posted_twice(two: TwoWorkspaces) -> None:
    domain = await two.add(two.ours)
    await two.add_alias(two.ours, domain, "billing", "second")
    two.prove(domain)
    await two.checks.recheck_due()
    two.slack.script("second", FixedResponse(503, "later"))
    assert len(await two.take_alerts()) == 2
    two.clock.advance(minutes=1)
    assert [path for path, _ in await two.take_alerts()] == ["second"]
    assert await two.take_alerts() == []


async def test_an_alert_is_abandoned_after_a_day(two: TwoWorkspaces) -> None:
    domain = await two.add(two.ours)
    two.prove(domain)
    await two.checks.recheck_due()
    await two.slack.stop()
    assert await two.alerts.post_pending() == 0
    two.clock.advance(hours=25)
    assert await two.alerts.post_pending() == 1
    assert (await two.row(two.ours)).alert_at is None
    assert two.clock.now() > SECOND
