"""Deliveries over REST."""

from tests.integration.dashboard.past import record_attempt
from tests.support.installation.http import ServedInstallation

DOCUMENTED_FIELDS = {
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


async def test_list_and_show_with_attempts(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    _, integration_id, _ = await served.create_alias()
    ticket_id = await served.accept_ticket()
    await served.accept_ticket()
    listed = (await served.admin.get("/deliveries")).body["deliveries"]
    assert set(listed[0]) >= DOCUMENTED_FIELDS
    assert [delivery["state"] for delivery in listed] == ["pending", "pending"]
    for query, expected in (
        (f"ticketId={ticket_id}", 1),
        (f"state=pending&integrationId={integration_id}", 2),
        ("state=dead", 0),
        ("integrationId=int_none", 0),
    ):
        answer = await served.admin.get(f"/deliveries?{query}")
        assert (answer.status, len(answer.body["deliveries"])) == (200, expected), query
    path = f"/deliveries/{listed[1]['id']}"
    await record_attempt(served, listed[1]["id"], "sent", 200, "ok")
    await served.database.execute("dispatch_mark_delivered", id=listed[1]["id"], now=served.clock.now(), via="message")
    one = (await served.admin.get(path)).body
    assert (one["state"], one["attempts"], one["deliveredAt"]) == ("delivered", 1, "2030-01-01T12:00:00Z")
    (sent,) = one["attemptList"]
    assert (sent["status"], sent["latencyMs"], sent["answer"]) == (200, 120, "ok")
    refused = await served.admin.post(f"{path}/replay")
    assert (refused.status, refused.code) == (409, "conflict")


async def test_replay_one_and_many(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    _, integration_id, _ = await served.create_alias()
    await served.accept_ticket()
    delivery_id = (await served.admin.get("/deliveries")).body["deliveries"][0]["id"]
    await served.database.execute("dispatch_mark_dead", id=delivery_id, reason="gave up")
    one = await served.admin.post(f"/deliveries/{delivery_id}/replay")
    assert (one.status, one.body["state"], one.body["nextAttemptAt"]) == (202, "pending", "2030-01-01T12:00:00Z")
    await served.database.execute("dispatch_mark_dead", id=delivery_id, reason="gave up")
    many = await served.admin.post("/deliveries/replay", {"integrationId": integration_id})
    assert (many.status, many.body) == (202, {"replayed": 1})
    assert (await served.admin.post("/deliveries/replay", {"state": "pending"})).body == {"replayed": 1}
    for body, code, field in (
        ({"state": "delivered"}, "invalid_request", "state"),
        ({"state": ""}, "invalid_request", "state"),
        ({"integrationId": "int_none"}, "invalid_integration", "integrationId"),
        ({"integrationId": ""}, "invalid_integration", "integrationId"),
    ):
        refused = await served.admin.post("/deliveries/replay", body)
        assert (refused.status, refused.code, refused.field) == (400, code, field)
