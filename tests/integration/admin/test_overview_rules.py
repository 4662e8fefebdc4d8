"""Overview and health of a workspace."""

import pytest

from router.admin.installation import duration_samples, overview
from router.admin.installation.duration_samples import DurationStatistics
from router.admin.installation.overview import AliasOpenTickets, DayCounts, OpenTickets, Overview
from router.clock import SECOND
from tests.integration.dashboard.past import PastMessage, insert_month, insert_past_messages
from tests.support.installation import Installation
from tests.support.spam import hold_as_spam, release_from_spam


async def read_overview(installation: Installation) -> Overview:
    return await installation.services.overview.get(installation.actor)


def highest_count(days: tuple[DayCounts, ...]) -> int:
    return max(count for day in days for count in (day.messages, day.tickets, day.dead))


async def test_daily_counts_of_thirty_days(installation: Installation) -> None:
    other = await installation.add_workspace()
    ages = (0.0, 1.0, 1.0, 15.0, 28.9, 31.1)
    await insert_past_messages(installation, *(PastMessage(days, n + 1, dead=n == 3) for n, days in enumerate(ages)))
    await insert_past_messages(installation, PastMessage(1.0, 91), workspace_id=other.workspace_id)
    found = await read_overview(installation)
    assert len(found.days) == 30
    dates = [day.date for day in found.days]
    assert dates == sorted(set(dates))
    assert sum(day.messages for day in found.days) == 5
    assert sum(day.tickets for day in found.days) == 5
    assert sum(day.dead for day in found.days) == 1
    assert max(day.messages for day in found.days) == 2
    assert found.claim == DurationStatistics(5, 600 * SECOND, 600 * SECOND)
    assert found.resolve == DurationStatistics(5, 7200 * SECOND, 7200 * SECOND)
    assert found.delivery == DurationStatistics(4, SECOND // 4, SECOND // 4)
    assert found.capped is False


async def test_open_tickets_by_status_and_alias(installation: Installation) -> None:
    tickets = [await installation.accept_ticket() for _ in range(3)]
    await installation.tickets.claim(await installation.add_actor(), tickets[-1])
    await installation.accept_ticket(None, await installation.resolve("postmaster@example.com"))
    found = await read_overview(installation)
    assert (found.now, found.unassigned) == (OpenTickets(3, 1, 0), 3)
    support = installation.aliases["support"]
    assert found.by_alias == (AliasOpenTickets(support, "support@example.com", OpenTickets(2, 1, 0), new=3),)


async def test_tickets_held_as_spam_are_counted_apart(installation: Installation) -> None:
    _, spam, resolved = [await installation.accept_ticket() for _ in range(3)]
    agent = await installation.add_actor()
    await installation.tickets.claim(agent, spam)
    await installation.tickets.set_status(agent, resolved, "resolved")
    await hold_as_spam(installation, spam, resolved)
    found = await read_overview(installation)
    today = found.days[-1]
    assert (found.spam_held, found.now, found.unassigned) == (2, OpenTickets(1, 0, 0), 1)
    assert (today.messages, today.tickets, today.resolved, sum(map(sum, found.hours))) == (3, 1, 0, 1)
    assert [(alias.tickets, alias.new) for alias in found.by_alias] == [(OpenTickets(1, 0, 0), 1)]
    assert not any(person.open or person.resolved for person in found.by_person)
    assert (found.claim.count, found.resolve.count) == (0, 0)
    await release_from_spam(installation, spam)
    found = await read_overview(installation)
    assert (found.spam_held, found.now) == (1, OpenTickets(1, 1, 0))


async def test_the_claim_time_is_that_of_the_first_claim(installation: Installation) -> None:
    ticket_id = await installation.accept_ticket()
    agent = await installation.add_actor()
    installation.clock.advance(60)
    await installation.tickets.claim(agent, ticket_id)
    installation.clock.advance(60)
    await installation.tickets.unclaim(agent, ticket_id)
    installation.clock.advance(60)
    await installation.tickets.claim(agent, ticket_id)
    assert (await read_overview(installation)).claim.median == 60 * SECOND


async def test_capped_counts_are_marked(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    await insert_month(installation)
    assert (await read_overview(installation)).capped is False
    monkeypatch.setattr(overview, "MAX_COUNTED", 2)
    installation.clock.advance(minutes=1)
    found = await read_overview(installation)
    assert found.capped is True
    assert highest_count(found.days) == 2


async def test_durations_are_sampled(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    await insert_month(installation)
    monkeypatch.setattr(duration_samples, "SAMPLE_SIZE", 1)
    assert (await read_overview(installation)).resolve.count <= 2


async def test_daily_counts_are_cached_for_a_minute(installation: Installation) -> None:
    async def counts() -> tuple[int, int]:
        found = await read_overview(installation)
        return sum(day.messages for day in found.days), found.now.open

    assert await counts() == (0, 0)
    await installation.accept_message()
    assert await counts() == (0, 1)
    installation.clock.advance(minutes=1)
    assert await counts() == (1, 1)


async def test_health(installation: Installation) -> None:
    actor, services, integration_id = installation.actor, installation.services, installation.integration_id
    empty = await services.health.get(actor)
    assert (empty.deliverer_alive, empty.deliverer_seen_at) == (False, None)
    assert (empty.waiting, empty.parked, empty.dead, empty.oldest_at) == (0, 0, 0, None)
    assert (empty.integrations, empty.domains) == ((), ())
    for _ in range(3):
        await installation.accept_message()
    database, now = installation.database, installation.clock.now()
    one, two, oldest = (await services.deliveries.list(actor)).items
    await database.execute("dispatch_mark_dead", id=one.id, reason="gave up")
    await database.execute(
        "dispatch_mark_failing", id=integration_id, reason="gone", now=now, probe_interval=60, probe_at=now
    )
    await database.execute("dispatch_park", integration_id=integration_id, now=now, limit=100)
    await services.deliveries.replay(actor, two.id)
    await database.execute("maintenance_claim", name="maintenance.domain_alerts", now=now, after=now)
    await services.domains.create(actor, "new.example")
    found = await services.health.get(actor)
    assert found.deliverer_alive is True
    assert (found.waiting, found.parked, found.dead, found.oldest_at) == (1, 1, 1, oldest.created_at)
    assert found.oldest_scheduled_at == two.created_at
    assert [held.id for held in await services.attention.list_held(actor, limit=9)] == [oldest.id]
    (failing,) = found.integrations
    assert (failing.id, failing.status, failing.last_error) == (integration_id, "failing", "gone")
    assert [domain.name for domain in found.domains] == ["new.example"]
    installation.clock.advance(minutes=11)
    assert (await services.health.get(actor)).deliverer_alive is False
    theirs = await services.health.get(await installation.add_workspace())
    assert (theirs.waiting, theirs.parked, theirs.dead, theirs.oldest_at) == (0, 0, 0, None)
    assert (theirs.integrations, theirs.domains) == ((), ())
