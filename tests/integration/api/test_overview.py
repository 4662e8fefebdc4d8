"""Statistics, delivery status and message search over REST."""

from tests.integration.dashboard.past import PastMessage, insert_past_messages
from tests.support import mails
from tests.support.installation.http import ServedInstallation


async def test_overview(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    _, _, alias_id = await served.create_alias()
    await insert_past_messages(served, PastMessage(0.0, 91), PastMessage(1.0, 92), PastMessage(15.0, 93, dead=True))
    ticket_id = await served.accept_ticket()
    await served.admin.post(f"/emails/tickets/{ticket_id}/claim")
    answer = await served.admin.get("/overview")
    overview = answer.body
    assert answer.status == 200
    assert len(overview["days"]) == 30
    assert {name: sum(day[name] for day in overview["days"]) for name in ("mails", "tickets", "dead")} == {
        "mails": 4,
        "tickets": 4,
        "dead": 1,
    }
    assert [day["date"] for day in overview["days"]] == sorted({day["date"] for day in overview["days"]})
    assert overview["resolve"] == {"count": 3, "medianSeconds": 7200, "p90Seconds": 7200}
    assert overview["claim"] == {"count": 4, "medianSeconds": 600, "p90Seconds": 600}
    assert overview["delivery"] == {"count": 2, "medianMs": 250, "p95Ms": 250}
    assert overview["now"] == {"open": 0, "inProgress": 1, "waiting": 0}
    assert (overview["unassigned"], overview["spamHeld"], overview["capped"]) == (0, 0, False)
    assert overview["byAlias"] == [
        {"aliasId": alias_id, "alias": "support@example.org", "open": 0, "inProgress": 1, "waiting": 0}
    ]


async def test_health(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    _, integration_id, _ = await served.create_alias()
    client, _ = await served.add_client("viewer")
    answer = await client.get("/health")
    assert answer.status == 200
    assert answer.body == {
        "deliverer": {"alive": False, "seenAt": None},
        "queue": {"waiting": 0, "parked": 0, "dead": 0, "oldestAt": None},
        "integrations": [],
        "domains": [],
    }
    for _ in range(4):
        await served.accept_message()
    database, now = served.database, served.clock.now()
    replayed, *dead, _ = (await served.services.deliveries.list(served.actor)).items
    for delivery in dead:
        await database.execute("dispatch_mark_dead", id=delivery.id, reason="gave up")
    await database.execute(
        "dispatch_mark_failing", id=integration_id, reason="gone", now=now, probe_interval=60, probe_at=now
    )
    await database.execute("dispatch_park", integration_id=integration_id, now=now, limit=100)
    await served.services.deliveries.replay(served.actor, replayed.id)
    await database.execute("maintenance_claim", name="maintenance.domain_alerts", now=now, after=now)
    await served.services.domains.create(served.actor, "new.example")
    health = (await client.get("/health")).body
    assert health["deliverer"] == {"alive": True, "seenAt": "2030-01-01T12:00:00Z"}
    assert health["queue"] == {"waiting": 1, "parked": 1, "dead": 2, "oldestAt": "2030-01-01T12:00:00Z"}
    (trouble,) = health["integrations"]
    assert (trouble["id"], trouble["status"], trouble["lastError"]) == (integration_id, "failing", "gone")
    assert [domain["domain"] for domain in health["domains"]] == ["new.example"]


async def test_find_messages(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    await served.create_alias()
    message_id = await served.accept_message(mails.plain(message_id="<one.two@customer.test>"))
    answer = await served.admin.get("/emails/messages", params={"q": f" {message_id} "})
    (message,) = answer.body["messages"]
    assert (answer.status, set(answer.body)) == (200, {"messages"})
    assert (message["id"], message["rfcMessageId"]) == (message_id, "one.two@customer.test")
    assert (await served.admin.get("/emails/messages", params={"q": "#2"})).body == {"messages": []}
    for wrong in ({}, {"q": ""}, {"q": "x" * 5000}, {"q": "a\nb"}):
        assert (await served.admin.get("/emails/messages", params=wrong)).status == 400, wrong
