"""Integrations by REST: the URL is never shown, a test message says what happened, a new URL heals."""

import pytest

from tests.support.installation.http import ServedInstallation
from tests.support.slack import Answer, SlackStandIn


async def test_an_integration_is_made_shown_changed_and_removed(
    served: ServedInstallation, slack: SlackStandIn
) -> None:
    asked = {"type": "slack", "name": "Support", "webhookUrl": slack.url("general-secret")}
    made = await served.admin.post("/integrations", asked)
    assert made.status == 201
    assert {"id", "type", "name", "createdAt"} <= set(made.body)
    assert (made.body["type"], made.body["name"], made.body["status"]) == ("slack", "Support", "active")
    path = f"/integrations/{made.body['id']}"
    changed = await served.admin.patch(path, {"name": "Sales"})
    assert (changed.status, changed.body["name"]) == (200, "Sales")
    listed = await served.admin.get("/integrations")
    assert listed.body["integrations"][0] == changed.body
    for answer in (made, changed, listed):
        assert b"general-secret" not in answer.octets
    row = await served.database.one("integration_by_id", id=made.body["id"], workspace_id=served.workspace_id)
    assert row is not None
    assert "general" not in row["sealed_settings"]
    assert (await served.admin.delete(path)).status == 204
    assert (await served.admin.get(path)).status == 404


async def test_a_test_message_says_what_the_other_side_said(served: ServedInstallation, slack: SlackStandIn) -> None:
    integration_id = await served.integration(slack.url("general"))
    good = await served.admin.post(f"/integrations/{integration_id}/test")
    assert (good.status, good.body["ok"], good.body["status"], good.body["answer"]) == (200, True, 200, "ok")
    assert "test" in slack.posts_to("general")[0].text.lower()
    slack.script("general", Answer(404, "no_service"))
    bad = await served.admin.post(f"/integrations/{integration_id}/test")
    assert (bad.status, bad.body["ok"], bad.body["status"]) == (200, False, 404)
    assert "no_service" in bad.body["reason"]


async def test_a_new_url_heals_a_failing_integration(served: ServedInstallation, slack: SlackStandIn) -> None:
    _, integration_id, _ = await served.alias()
    await served.ticket()
    database, now = served.database, served.clock.now()
    await database.run("dispatch_failing", id=integration_id, reason="404", now=now, probe_interval=5, probe_at=now + 5)
    await database.run("dispatch_park", integration_id=integration_id, now=now)
    shown = await served.admin.get(f"/integrations/{integration_id}")
    assert (shown.body["status"], shown.body["lastError"]) == ("failing", "404")
    assert (await served.admin.get("/deliveries")).body["deliveries"][0]["parked"] is True
    served.woken.integration_ids.clear()
    changed = await served.admin.patch(f"/integrations/{integration_id}", {"webhookUrl": slack.url("new")})
    assert (changed.body["status"], changed.body["lastError"]) == ("active", "")
    delivery = (await served.admin.get("/deliveries")).body["deliveries"][0]
    assert (delivery["parked"], delivery["nextAttemptAt"]) == (False, "2030-01-01T12:00:00Z")
    assert served.woken.integration_ids == [integration_id]


async def test_an_integration_in_use_stays_and_a_removed_ones_deliveries_are_dead(served: ServedInstallation) -> None:
    _, integration_id, alias_id = await served.alias()
    await served.ticket()
    refused = await served.admin.delete(f"/integrations/{integration_id}")
    assert (refused.status, refused.code) == (409, "in_use")
    await served.admin.delete(f"/aliases/{alias_id}")
    await served.admin.patch("/workspace", {"defaultIntegrationId": integration_id})
    assert (await served.admin.delete(f"/integrations/{integration_id}")).status == 204
    delivery = (await served.admin.get("/deliveries?state=dead")).body["deliveries"][0]
    assert "removed" in delivery["lastError"]
    assert (await served.admin.get("/workspace")).body["defaultIntegrationId"] is None
    again = await served.admin.post(f"/deliveries/{delivery['id']}/replay")
    assert (again.status, again.code) == (409, "conflict")


@pytest.mark.parametrize(
    ("changed", "code", "field"),
    [
        ({"type": "teams"}, "invalid_integration", "type"),
        ({"type": 5}, "invalid_integration", "type"),
        ({"name": ""}, "invalid_request", "name"),
        ({"name": "a\x00b"}, "invalid_request", None),
        ({"name": "a\u202eb"}, "invalid_request", "name"),
        ({"webhookUrl": "not a url"}, "invalid_webhook_url", "webhookUrl"),
        ({"webhookUrl": "ftp://hooks.slack.test/services/x"}, "invalid_webhook_url", "webhookUrl"),
        ({"webhookUrl": "https://user:pw@hooks.slack.test/x"}, "invalid_webhook_url", "webhookUrl"),
        ({"webhookUrl": None}, "invalid_webhook_url", "webhookUrl"),
        ({"colour": "red"}, "invalid_request", "colour"),
    ],
)
async def test_what_is_no_integration(
    sqlite_served: ServedInstallation, changed: dict[str, object], code: str, field: str | None
) -> None:
    asked = {"type": "slack", "name": "Support", "webhookUrl": "https://hooks.slack.test/services/T/B/x"} | changed
    refused = await sqlite_served.admin.post("/integrations", asked)
    assert (refused.status, refused.code, refused.field) == (400, code, field)
