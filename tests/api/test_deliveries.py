"""Deliveries by REST: what waits, what gave up, sending it again."""

from tests.support.installation.http import ServedInstallation

DOCUMENTED = {
    "id",
    "ticketId",
    "integrationId",
    "state",
    "attempts",
    "nextAttemptAt",
    "deliveredAt",
    "lastError",
    "createdAt",
}


async def test_lists_and_one_with_its_attempts(served: ServedInstallation) -> None:
    _, integration_id, _ = await served.alias()
    ticket_id = await served.ticket()
    await served.ticket()
    listed = (await served.admin.get("/deliveries")).body["deliveries"]
    assert set(listed[0]) >= DOCUMENTED
    assert [delivery["state"] for delivery in listed] == ["pending", "pending"]
    oldest = listed[1]
    for query, expected in (
        (f"ticketId={ticket_id}", 1),
        (f"integrationId={integration_id}", 2),
        ("state=pending", 2),
        ("state=delivered", 0),
        ("state=dead", 0),
        (f"state=pending&integrationId={integration_id}", 2),
        (f"state=dead&integrationId={integration_id}", 0),
        ("integrationId=int_none", 0),
    ):
        assert len((await served.admin.get(f"/deliveries?{query}")).body["deliveries"]) == expected, query
    database, now = served.database, served.clock.now()
    await database.run("dispatch_open", id=oldest["id"], until=now)
    await database.run("dispatch_attempt", delivery_id=oldest["id"], n=1, started_at=now)
    await database.run(
        "dispatch_attempted",
        delivery_id=oldest["id"],
        n=1,
        finished_at=now,
        outcome="sent",
        status=200,
        latency=12_000,
        answer="ok",
    )
    await database.run("dispatch_delivered", id=oldest["id"], now=now, via="message")
    one = (await served.admin.get(f"/deliveries/{oldest['id']}")).body
    assert (one["state"], one["attempts"], one["deliveredAt"]) == ("delivered", 1, "2030-01-01T12:00:00Z")
    attempt = one["attemptList"][0]
    assert (attempt["status"], attempt["latencyMs"], attempt["answer"]) == (200, 12, "ok")
    refused = await served.admin.post(f"/deliveries/{oldest['id']}/replay")
    assert (refused.status, refused.code) == (409, "conflict")


async def test_replays(served: ServedInstallation) -> None:
    _, integration_id, _ = await served.alias()
    for _ in range(3):
        await served.ticket()
    database = served.database
    deliveries = (await served.admin.get("/deliveries")).body["deliveries"]
    for delivery in deliveries[:2]:
        await database.run("dispatch_dead", id=delivery["id"], reason="gave up")
    served.clock.advance(days=5)
    served.woken.integration_ids.clear()
    one = await served.admin.post(f"/deliveries/{deliveries[0]['id']}/replay")
    assert (one.status, one.body["state"], one.body["nextAttemptAt"]) == (202, "pending", "2030-01-06T12:00:00Z")
    row = await database.one("delivery_by_id", id=deliveries[0]["id"], workspace_id=served.workspace_id)
    assert row is not None
    assert row["expires_at"] > served.clock.now()
    assert served.woken.integration_ids == [integration_id]
    many = await served.admin.post("/deliveries/replay", {"integrationId": integration_id})
    assert (many.status, many.body) == (202, {"replayed": 1})
    assert (await served.admin.get("/deliveries?state=dead")).body["deliveries"] == []
    waiting = await served.admin.post("/deliveries/replay", {"state": "pending"})
    assert waiting.body == {"replayed": 3}
    for body, field in (
        ({"state": "delivered"}, "state"),
        ({"state": ""}, "state"),
        ({"integrationId": "int_none"}, "integrationId"),
        ({"integrationId": ""}, "integrationId"),
    ):
        refused = await served.admin.post("/deliveries/replay", body)
        assert (refused.status, refused.field) == (400, field)
