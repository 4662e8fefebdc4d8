"""Rechecks, taking over, relays upstream and what people are told, on both databases, against a DNS on loopback."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator

import pytest

from router.admin.audit import Audit
from router.admin.domains.domain_checks import DnsPolicy, DomainChecks
from router.admin.domains.domains import Domains
from router.channels import CHANNELS
from router.channels.poster import Poster
from router.clock import SECOND
from router.dispatch.notices import Notices
from router.dns.resolver import DnsResolver
from router.dns.shared import SharedResolver
from router.dns.standing import DAY
from router.errors import Refused
from router.model import Actor, Domain
from router.outbound.client import OutboundClient
from router.secrets import SecretBox, new_key
from tests.support import seeds
from tests.support.clock import FakeClock
from tests.support.dns import DnsStandIn
from tests.support.slack import Answer, SlackStandIn
from tests.support.stores import Store

NAME, MX = "example.org", "mx1.router.test"


class World:
    """Two workspaces that want the same domain, each with an alias on a webhook of its own."""

    def __init__(self, store: Store, dns: DnsStandIn, slack: SlackStandIn) -> None:
        self.store, self.dns, self.slack = store, dns, slack
        self.clock = FakeClock()
        self.box = SecretBox(new_key())
        self.client = OutboundClient(allow_private=True)
        self.changes = 0
        self.checks = self.another()
        self.domains = Domains(store.database, self.clock, self.checks, mx_hosts=[(MX, 10)], changed=self._changed)
        poster = Poster(CHANNELS, self.client, self.box, allow_private=True, timeout=5)
        self.notices = Notices(store.database, self.clock, poster)

    def another(self) -> DomainChecks:
        """The checks of a process."""
        resolver = DnsResolver([("127.0.0.1", self.dns.port)], timeout=5, lifetime=10)  # no server here is silent
        policy = DnsPolicy(((MX, 10),), "auto", DAY)
        shared = SharedResolver(resolver, self.clock)
        return DomainChecks(self.store.database, self.clock, shared, policy, changed=self._changed, jitter=lambda: 0.5)

    def _changed(self) -> None:
        self.changes += 1

    async def build(self) -> None:
        self.ours, self.theirs = [Actor(await seeds.workspace(self.store.database, n), "admin") for n in ("A", "B")]

    async def add(self, actor: Actor) -> Domain:
        """The domain with an alias whose tickets go to the webhook of its workspace."""
        domain = (await self.domains.create(actor, NAME)).domain
        hook = "ours" if actor is self.ours else "theirs"
        sealed = self.box.seal(json.dumps({"webhookUrl": self.slack.url(hook)}))
        integration = await seeds.integration(self.store.database, actor.workspace_id, sealed)
        await seeds.alias(self.store.database, actor.workspace_id, domain.id, "support", integration)
        return domain

    def prove(self, *domains: Domain, mx: bool = True) -> None:
        self.dns.set(NAME, "MX", *([f"10 {MX}."] if mx else []))
        self.dns.set(f"_emailrouter.{NAME}", "TXT", *(f"emailrouter-verification={d.token}" for d in domains))

    async def days(self, count: int) -> list[str]:
        """Lets days pass with the janitor at work twice a day; the domain's status (ours) at the end of each."""
        found: list[str] = []
        for _ in range(count):
            for _ in range(2):
                self.clock.advance(hours=12, minutes=1)
                await self.checks.recheck()
            found.append((await self.row(self.ours)).status)
        return found

    async def row(self, actor: Actor) -> Domain:
        (found,) = (await self.domains.list(actor)).items
        return found

    async def actions(self, actor: Actor) -> list[str]:
        return [entry.action for entry in (await Audit(self.store.database).list(actor)).items]

    async def told(self) -> list[tuple[str, str]]:
        """What was posted and taken since the last time: (channel, text)."""
        await self.notices.tell()
        posts, self.slack.posts = list(self.slack.posts), deque()
        return [(post.path.rpartition("/")[2], str(json.loads(post.raw)["text"])) for post in posts]


@pytest.fixture
async def world(store: Store, dns_server: DnsStandIn, slack: SlackStandIn) -> AsyncIterator[World]:
    found = World(store, dns_server, slack)
    await found.build()
    yield found
    await found.client.close()


async def test_a_pending_domain_is_verified_by_itself_and_its_people_hear_of_it(world: World) -> None:
    domain = await world.add(world.ours)
    await world.checks.recheck()
    assert (await world.row(world.ours)).status == "pending_verification"
    world.prove(domain)
    world.clock.advance(minutes=5)
    assert await world.checks.recheck() == 0, "not every minute"
    world.clock.advance(minutes=15)
    await world.checks.recheck()
    found = await world.row(world.ours)
    assert (found.status, found.verified_at) == ("active", world.clock.now())
    assert world.changes >= 1
    assert (await world.actions(world.ours))[0] == "domain.verify"
    ((path, text),) = await world.told()
    assert (path, text) == ("ours", f"About a domain: {NAME} is verified: its mail is taken from now on.")
    assert await world.told() == []


async def test_days_of_definite_answers_unverify_and_everybody_hears_of_it_before(world: World) -> None:
    domain = await world.add(world.ours)
    world.prove(domain)
    await world.domains.verify(world.ours, domain.id)
    world.dns.remove(NAME)
    world.dns.remove(f"_emailrouter.{NAME}")
    assert await world.days(1) == ["active"]
    assert [text for _, text in await world.told()] == []
    assert await world.days(1) == ["active"]
    ((_, text),) = await world.told()
    assert "Neither DNS record of example.org is right since 2030-01-0" in text
    assert "has no MX record" in text
    statuses = await world.days(5)
    assert statuses[0] == "active"
    assert statuses[-1] == "pending_verification"
    ((_, text),) = await world.told()
    assert "is not verified any more" in text
    assert (await world.actions(world.ours))[0] == "domain.unverify"
    view = await world.domains.get(world.ours, domain.id)
    assert view.domain.verified_at is None
    assert {record.status for record in view.records} == {"missing"}


async def test_faults_of_the_dns_never_unverify(world: World) -> None:
    domain = await world.add(world.ours)
    world.prove(domain)
    await world.domains.verify(world.ours, domain.id)
    for name in (NAME, f"_emailrouter.{NAME}"):
        world.dns.fail(name, "SERVFAIL")
    assert set(await world.days(30)) == {"active"}
    assert (await world.row(world.ours)).misses == 0


@pytest.mark.parametrize("left", ["mx", "txt"])
async def test_one_right_record_is_enough_to_stay(world: World, left: str) -> None:
    domain = await world.add(world.ours)
    world.prove(domain)
    await world.domains.verify(world.ours, domain.id)
    world.dns.remove(f"_emailrouter.{NAME}" if left == "mx" else NAME)
    assert set(await world.days(10)) == {"active"}
    assert (await world.told()) == []


async def test_what_comes_back_in_time_is_trusted_again(world: World) -> None:
    domain = await world.add(world.ours)
    world.prove(domain)
    await world.domains.verify(world.ours, domain.id)
    world.dns.remove(NAME)
    world.dns.remove(f"_emailrouter.{NAME}")
    await world.days(2)
    assert len(await world.told()) == 1
    world.prove(domain)
    assert (await world.days(10))[-1] == "active"
    assert [text for _, text in await world.told()] == [
        f"About a domain: The DNS records of {NAME} are right again: the domain stays verified."
    ]


async def test_pressing_verify_does_not_unverify(world: World) -> None:
    domain = await world.add(world.ours)
    world.prove(domain)
    await world.domains.verify(world.ours, domain.id)
    world.dns.remove(NAME)
    world.dns.remove(f"_emailrouter.{NAME}")
    for _ in range(10):
        world.clock.advance(days=1)
        view = await world.domains.verify(world.ours, domain.id)
    assert view.domain.status == "active"
    assert "has no MX record" in view.records[0].fix


async def test_processes_share_the_rechecks(world: World) -> None:
    domain = await world.add(world.ours)
    world.prove(domain)
    await asyncio.gather(world.checks.recheck(), world.another().recheck(), world.another().recheck())
    assert world.dns.asked(NAME, "MX") == 1


# --- taking over


async def test_a_domain_is_taken_over_by_txt_alone(world: World) -> None:
    ours, theirs = await world.add(world.ours), await world.add(world.theirs)
    world.prove(ours)
    await world.domains.verify(world.ours, ours.id)
    assert (await world.domains.verify(world.theirs, theirs.id)).domain.status == "pending_verification"

    world.prove(ours, theirs)  # while both are published the first one keeps it
    with pytest.raises(Refused, match="take it over") as refused:
        await world.domains.verify(world.theirs, theirs.id)
    assert refused.value.code == "domain_taken"

    world.prove(theirs)
    world.clock.advance(hours=13)
    await world.checks.recheck()
    assert (await world.row(world.ours)).status == "active", "a recheck moves no mail between workspaces"

    taken = await world.domains.verify(world.theirs, theirs.id)
    assert taken.domain.status == "active"
    lost = await world.row(world.ours)
    assert (lost.status, lost.verified_at) == ("pending_verification", None)
    assert (await world.actions(world.ours))[0] == "domain.lose"
    assert (await world.actions(world.theirs))[0] == "domain.verify"
    ((path, text),) = await world.told()
    assert path == "ours"
    assert "another one has proved by its TXT record" in text

    world.prove(ours)  # an old record proves nothing any more
    assert lost.token != ours.token
    back = await world.domains.verify(world.ours, ours.id)
    assert back.domain.status == "pending_verification"
    world.prove(lost)
    assert (await world.domains.verify(world.ours, ours.id)).domain.status == "active"
    assert (await world.row(world.theirs)).status == "pending_verification"


async def test_of_two_that_prove_at_once_one_has_it(world: World) -> None:
    ours, theirs = await world.add(world.ours), await world.add(world.theirs)
    world.prove(ours, theirs)
    outcomes = await asyncio.gather(
        world.domains.verify(world.ours, ours.id),
        world.domains.verify(world.theirs, theirs.id),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, Refused) for outcome in outcomes) == 1
    statuses = [(await world.row(actor)).status for actor in (world.ours, world.theirs)]
    assert sorted(statuses) == ["active", "pending_verification"]


# --- behind another relay


async def test_mx_managed_upstream_makes_txt_the_proof(world: World) -> None:
    domain = await world.add(world.ours)
    world.dns.set(NAME, "MX", "5 filter.relay.test.")
    view = await world.domains.set_mx_upstream(world.ours, domain.id, True)
    assert view.domain.mx_managed == "upstream"
    assert view.records[0].expected == ()
    world.dns.set(f"_emailrouter.{NAME}", "TXT", f"emailrouter-verification={domain.token}")
    view = await world.domains.verify(world.ours, domain.id)
    assert view.domain.status == "active"
    assert (view.records[0].status, view.records[0].found) == ("ok", ("5 filter.relay.test",))
    world.dns.remove(NAME)
    assert set(await world.days(8)) == {"active"}
    assert "nobody gets its mail" in (await world.domains.get(world.ours, domain.id)).records[0].fix
    world.dns.remove(f"_emailrouter.{NAME}")
    world.dns.set(NAME, "MX", f"10 {MX}.")  # not the proof here
    assert (await world.days(8))[-1] == "pending_verification"
    assert "domain.change" in await world.actions(world.ours)


# --- what people are told


async def test_a_webhook_that_is_away_hears_later_and_nobody_hears_twice(world: World) -> None:
    domain = await world.add(world.ours)
    sealed = world.box.seal(json.dumps({"webhookUrl": world.slack.url("second")}))
    second = await seeds.integration(world.store.database, world.ours.workspace_id, sealed, name="second")
    await seeds.alias(world.store.database, world.ours.workspace_id, domain.id, "billing", second)
    world.prove(domain)
    await world.checks.recheck()
    world.slack.script("second", Answer(503, "later"))
    assert len(await world.told()) == 2
    world.clock.advance(minutes=1)
    assert [path for path, _ in await world.told()] == ["second"]
    assert await world.told() == []


async def test_a_notice_is_given_up_after_a_day(world: World) -> None:
    domain = await world.add(world.ours)
    world.prove(domain)
    await world.checks.recheck()
    await world.slack.stop()
    assert await world.notices.tell() == 0
    world.clock.advance(hours=25)
    assert await world.notices.tell() == 1
    assert (await world.row(world.ours)).notice_at is None
    assert world.clock.now() > SECOND
