"""The figures from above and the health by REST, on both databases; and mails found by what people have in hand."""

import pytest

from router.admin.installation import overview
from router.admin.installation.overview import sample_step, times
from tests.dashboard.past import Old, month, old_mails
from tests.support import mails
from tests.support.installation.http import ServedInstallation


async def test_what_came(served: ServedInstallation) -> None:
    _, other = await served.other_workspace()
    ages = (0.0, 1.0, 1.0, 15.0, 28.9, 31.1)  # the last one is too old
    await old_mails(served, *(Old(days, n + 1, dead=n == 3) for n, days in enumerate(ages)))
    await old_mails(served, Old(1.0, 91), workspace_id=other.workspace_id)
    found = (await served.admin.get("/overview")).body
    days = found["days"]
    assert len(days) == 30
    assert [day["date"] for day in days] == sorted({day["date"] for day in days})
    assert {name: sum(day[name] for day in days) for name in ("mails", "tickets", "dead")} == {
        "mails": 5,
        "tickets": 5,
        "dead": 1,
    }
    assert max(day["mails"] for day in days) == 2
    assert found["claim"] == {"count": 5, "medianSeconds": 600, "p90Seconds": 600}
    assert found["resolve"] == {"count": 5, "medianSeconds": 7200, "p90Seconds": 7200}
    assert found["delivery"] == {"count": 4, "medianMs": 250, "p95Ms": 250}
    assert found["capped"] is False


async def test_what_is_open_now(served: ServedInstallation) -> None:
    domain_id, integration_id, alias_id = await served.alias()
    for _ in range(3):
        ticket = await served.ticket()
    empty = await served.services.aliases.create(
        served.actor, domain_id=domain_id, local_part="billing", integration_id=integration_id
    )
    await served.services.tickets.claim(served.actor, ticket)
    await served.ticket(None, "postmaster@example.org")  # at no alias
    found = (await served.admin.get("/overview")).body
    assert found["now"] == {"open": 3, "inProgress": 1, "waiting": 0}
    assert found["unassigned"] == 3
    assert found["byAlias"] == [
        {"aliasId": alias_id, "alias": "support@example.org", "open": 2, "inProgress": 1, "waiting": 0}
    ]
    assert empty.id not in str(found)


async def test_first_claims_count_not_later_ones(served: ServedInstallation) -> None:
    await served.alias()
    ticket = await served.ticket()
    served.clock.advance(60)
    await served.services.tickets.claim(served.actor, ticket)
    served.clock.advance(60)
    await served.services.tickets.unclaim(served.actor, ticket)
    served.clock.advance(60)
    await served.services.tickets.claim(served.actor, ticket)
    assert (await served.admin.get("/overview")).body["claim"]["medianSeconds"] == 60


async def test_counts_end_at_their_bound_and_say_so(
    served: ServedInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    await month(served)
    assert (await served.admin.get("/overview")).body["capped"] is False
    monkeypatch.setattr(overview, "MOST_COUNTED", 2)
    served.clock.advance(minutes=1)
    found = (await served.admin.get("/overview")).body
    assert found["capped"] is True
    assert max(day[name] for day in found["days"] for name in ("mails", "tickets", "dead")) == 2


async def test_a_sample_is_taken_of_much(served: ServedInstallation, monkeypatch: pytest.MonkeyPatch) -> None:
    await month(served)
    monkeypatch.setattr(overview, "SAMPLE", 1)
    count = (await served.admin.get("/overview")).body["resolve"]["count"]
    assert count <= 2


async def test_the_days_are_read_once_a_minute(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    await served.alias()

    async def told() -> tuple[int, int]:
        found = (await served.admin.get("/overview")).body
        return sum(day["mails"] for day in found["days"]), found["now"]["open"]

    assert await told() == (0, 0)
    await served.mail()
    assert await told() == (0, 1)
    served.clock.advance(minutes=1)
    assert await told() == (1, 1)


@pytest.mark.parametrize("count", [0, 1, 1000, 1001, 1500, 20_000, 10**9])
def test_a_sample_is_as_large_as_it_should_be(count: int) -> None:
    taken = len(range(0, count, sample_step(count)))
    assert taken == count if count <= 1000 else 600 < taken <= 1500


def test_quantiles_are_values() -> None:
    assert times([], 0.9) == overview.Times(0, None, None)
    assert times([5], 0.95) == overview.Times(1, 5, 5)
    assert times(range(100, 0, -1), 0.9) == overview.Times(100, 50, 90)


async def test_health(served: ServedInstallation) -> None:
    domain_id, integration_id, _ = await served.alias()
    client, _ = await served.person("viewer")
    found = (await client.get("/health")).body
    nothing = {"waiting": 0, "parked": 0, "dead": 0, "oldestAt": None}
    assert found == {
        "deliverer": {"alive": False, "seenAt": None},
        "queue": nothing,
        "integrations": [],
        "domains": [],
    }
    for _ in range(3):
        await served.mail()
    database, now = served.database, served.clock.now()
    one, two, _ = (await served.services.deliveries.list(served.actor)).items
    await database.run("dispatch_dead", id=one.id, reason="gave up")
    await database.run("dispatch_failing", id=integration_id, reason="gone", now=now, probe_interval=60, probe_at=now)
    await database.run("dispatch_park", integration_id=integration_id, now=now)
    await served.services.deliveries.replay(served.actor, two.id)
    await database.run("janitor_claim", name="janitor.notices", now=now, after=now)
    await served.services.domains.create(served.actor, "new.example")
    found = (await client.get("/health")).body
    assert found["deliverer"]["alive"] is True
    assert found["queue"] == {"waiting": 1, "parked": 1, "dead": 1, "oldestAt": "2030-01-01T12:00:00Z"}
    (trouble,) = found["integrations"]
    assert (trouble["id"], trouble["status"], trouble["lastError"]) == (integration_id, "failing", "gone")
    assert [domain["domain"] for domain in found["domains"]] == ["new.example"]
    assert domain_id not in str(found)
    served.clock.advance(minutes=11)
    assert (await client.get("/health")).body["deliverer"]["alive"] is False
    other, _ = await served.other_workspace()
    theirs = (await other.get("/health")).body
    assert (theirs["queue"], theirs["integrations"], theirs["domains"]) == (nothing, [], [])


async def test_mails_are_found(served: ServedInstallation) -> None:
    await served.alias()
    message_id = await served.mail(mails.plain(message_id="<one.two@customer.test>"))
    ticket_id = (await served.admin.get("/emails/tickets")).body["tickets"][0]["id"]
    await served.mail(mails.reply_to("<one.two@customer.test>"))
    other, _ = await served.other_workspace()
    for q, count in (
        (message_id, 1),
        (f"  {message_id} ", 1),
        ("one.two@customer.test", 1),
        ("Message-ID: <one.two@customer.test>", 1),
        (ticket_id, 2),
        ("1", 2),
        ("#1", 2),
        ("#2", 0),
        ("nobody@customer.test", 0),
        (f"msg_{'0' * 26}", 0),
        ("<>", 0),
    ):
        found = (await served.admin.get("/emails/messages", params={"q": q})).body["messages"]
        assert len(found) == count, q
        assert (await other.get("/emails/messages", params={"q": q})).body == {"messages": []}, q
    assert found == []
    first = (await served.admin.get("/emails/messages", params={"q": message_id})).body["messages"][0]
    assert (first["id"], first["rfcMessageId"]) == (message_id, "one.two@customer.test")
    for wrong in ({}, {"q": ""}, {"q": "x" * 5000}, {"q": "a\nb"}):
        assert (await served.admin.get("/emails/messages", params=wrong)).status == 400, wrong
