"""Integrations over REST."""

from typing import Any

from tests.support.behaviours import FixedResponse
from tests.support.installation.http import ServedInstallation
from tests.support.slack import SlackStandIn


async def test_create_show_change_and_delete_an_integration(
    sqlite_served: ServedInstallation, slack: SlackStandIn
) -> None:
    served = sqlite_served
    request = {"type": "slack", "name": "Support", "webhookUrl": slack.url("general-secret")}
    created = await served.admin.post("/integrations", request)
    assert created.status == 201
    assert {"id", "type", "name", "createdAt"} <= set(created.body)
    assert (created.body["type"], created.body["name"], created.body["status"]) == ("slack", "Support", "active")
    path = f"/integrations/{created.body['id']}"
    changed = await served.admin.patch(path, {"name": "Sales"})
    assert (changed.status, changed.body["name"]) == (200, "Sales")
    listed = await served.admin.get("/integrations")
    assert listed.body["integrations"][0] == changed.body
    for answer in (created, changed, listed):
        assert b"general-secret" not in answer.content
    assert (await served.admin.delete(path)).status == 204
    assert (await served.admin.get(path)).status == 404


async def test_settings_of_an_integration(sqlite_served: ServedInstallation) -> None:
    admin = sqlite_served.admin
    url = "https://hooks.slack.test/services/T/B/first-secret"
    created = await admin.post("/integrations", {"type": "slack", "name": "Support", "settings": {"webhookUrl": url}})
    assert (created.status, created.body["settings"], created.body["hint"][-4:]) == (201, {}, "cret")
    both = {"type": "slack", "name": "Support", "webhookUrl": url, "settings": {"webhookUrl": url}}
    assert (await admin.post("/integrations", both)).status == 201
    path = f"/integrations/{created.body['id']}"
    nothing: list[dict[str, Any]] = [{}, {"settings": {}}, {"settings": None}, {"webhookUrl": None}]
    for unchanged in nothing:
        assert (await admin.patch(path, unchanged)).body == created.body
    changed = await admin.patch(path, {"settings": {"webhookUrl": f"{url}-two"}})
    assert (changed.status, changed.body["hint"][-4:]) == (200, "-two")
    for wrong, code, field in (
        ({"settings": {"webhookUrl": None}}, "invalid_webhook_url", "settings.webhookUrl"),
        ({"settings": {"webhookUrl": ""}}, "invalid_webhook_url", "settings.webhookUrl"),
        ({"webhookUrl": ""}, "invalid_webhook_url", "webhookUrl"),
        ({"settings": {"colour": "red"}}, "invalid_request", "settings.colour"),
        ({"settings": []}, "invalid_request", "settings"),
    ):
        refused = await admin.patch(path, wrong)
        assert (refused.status, refused.code, refused.field) == (400, code, field), wrong
    assert (await admin.get(path)).body == changed.body


async def test_test_message_returns_the_response(sqlite_served: ServedInstallation, slack: SlackStandIn) -> None:
    served = sqlite_served
    integration_id = await served.create_integration(slack.url("general"))
    good = await served.admin.post(f"/integrations/{integration_id}/test")
    assert good.status == 200
    assert good.body == {"ok": True, "status": 200, "answer": "ok", "reason": "", "latencyMs": good.body["latencyMs"]}
    slack.script("general", FixedResponse(404, "no_service"))
    bad = await served.admin.post(f"/integrations/{integration_id}/test")
    assert (bad.status, bad.body["ok"], bad.body["status"]) == (200, False, 404)
    assert "no_service" in bad.body["reason"]


async def test_new_url_reactivates_a_failing_integration(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    _, integration_id, _ = await served.create_alias()
    path = f"/integrations/{integration_id}"
    await served.accept_ticket()
    database, now = served.database, served.clock.now()
    await database.execute(
        "dispatch_mark_failing", id=integration_id, reason="404", now=now, probe_interval=5, probe_at=now + 5
    )
    await database.execute("dispatch_park", integration_id=integration_id, now=now, limit=100)
    shown = await served.admin.get(path)
    assert (shown.status, shown.body["status"], shown.body["lastError"]) == (200, "failing", "404")
    assert (await served.admin.get("/deliveries")).body["deliveries"][0]["parked"] is True
    changed = await served.admin.patch(path, {"webhookUrl": "http://127.0.0.1:9/services/T0/B0/another"})
    assert (changed.status, changed.body["status"], changed.body["lastError"]) == (200, "active", "")
    delivery = (await served.admin.get("/deliveries")).body["deliveries"][0]
    assert (delivery["parked"], delivery["nextAttemptAt"]) == (False, "2030-01-01T12:00:00Z")


async def test_integration_in_use_is_not_deleted(sqlite_served: ServedInstallation) -> None:
    _, integration_id, _ = await sqlite_served.create_alias()
    refused = await sqlite_served.admin.delete(f"/integrations/{integration_id}")
    assert (refused.status, refused.code) == (409, "in_use")


async def test_invalid_integrations_are_rejected(sqlite_served: ServedInstallation) -> None:
    valid = {"type": "slack", "name": "Support", "webhookUrl": "https://hooks.slack.test/services/T/B/x"}
    for own, code, field in (
        ({"type": "teams"}, "invalid_integration", "type"),
        ({"type": 5}, "invalid_integration", "type"),
        ({"name": ""}, "invalid_request", "name"),
        ({"name": "a\x00b"}, "invalid_request", None),
        ({"name": "a\u202eb"}, "invalid_request", "name"),
        ({"webhookUrl": "not a url"}, "invalid_webhook_url", "webhookUrl"),
        ({"webhookUrl": "ftp://hooks.slack.test/services/x"}, "invalid_webhook_url", "webhookUrl"),
        ({"webhookUrl": "https://user:pw@hooks.slack.test/x"}, "invalid_webhook_url", "webhookUrl"),
        ({"webhookUrl": None}, "invalid_webhook_url", "webhookUrl"),
        ({"webhookUrl": 5}, "invalid_webhook_url", "webhookUrl"),
        ({"webhookUrl": None, "settings": {}}, "invalid_webhook_url", "settings.webhookUrl"),
        (
            {"webhookUrl": None, "settings": {"webhookUrl": "ftp://x.test/a"}},
            "invalid_webhook_url",
            "settings.webhookUrl",
        ),
        ({"settings": {"webhookUrl": "https://hooks.slack.test/services/T/B/y"}}, "invalid_request", "webhookUrl"),
        ({"settings": {"threadId": "5"}}, "invalid_request", "settings.threadId"),
        ({"settings": "https://hooks.slack.test/services/T/B/x"}, "invalid_request", "settings"),
        ({"colour": "red"}, "invalid_request", "colour"),
    ):
        refused = await sqlite_served.admin.post("/integrations", valid | own)
        assert (refused.status, refused.code, refused.field) == (400, code, field), own
    assert (await sqlite_served.admin.get("/integrations")).body == {"integrations": []}
