"""Integration use cases."""

import asyncio
from typing import Any

from router.filters import DeliveryFilter
from router.model import Integration
from tests.support.behaviours import FixedResponse, Hang
from tests.support.installation import Installation
from tests.support.refusal import refused_code
from tests.support.slack import SlackStandIn


async def create(installation: Installation, url: str, **own: str) -> Integration:
    asked: dict[str, Any] = {"type": "slack", "name": "Support"} | own
    return await installation.services.integrations.create(installation.actor, settings={"webhookUrl": url}, **asked)


async def test_an_integration_is_created_changed_and_deleted(installation: Installation) -> None:
    actor, integrations = installation.actor, installation.services.integrations
    made = await create(installation, "http://127.0.0.1:9/services/T0/B0/general-secret")
    assert (made.type, made.name, made.status) == ("slack", "Support", "active")
    assert made.created_at == installation.clock.now()
    assert "general" not in made.hint + made.encrypted_settings
    changed = await integrations.change(actor, made.id, name="Sales")
    assert (changed.name, changed.encrypted_settings) == ("Sales", made.encrypted_settings)
    assert await integrations.get(actor, made.id) == changed
    assert (await integrations.list(actor)).items[0] == changed
    await integrations.delete(actor, made.id)
    assert await refused_code(integrations.get(actor, made.id)) == ("not_found", None)


async def test_a_test_message_returns_the_response(installation: Installation, slack: SlackStandIn) -> None:
    actor, integrations = installation.actor, installation.services.integrations
    integration_id = (await create(installation, slack.url("general"))).id
    good = await integrations.test(actor, integration_id)
    assert (good.ok, good.status, good.response) == (True, 200, "ok")
    assert "test" in slack.posts_to("general")[0].text.lower()
    slack.script("general", FixedResponse(404, "no_service"))
    bad = await integrations.test(actor, integration_id)
    assert (bad.ok, bad.status) == (False, 404)
    assert "no_service" in bad.reason
    found = await integrations.get(actor, integration_id)
    assert (found.last_error, found.last_test_error, found.is_tested) == (bad.reason, bad.reason, False)
    installation.clock.advance(60)
    assert (await integrations.test(actor, integration_id)).ok
    found = await integrations.get(actor, integration_id)
    assert (found.last_error, found.last_test_at, found.is_tested) == ("", installation.clock.now(), True)
    renamed = await integrations.change(actor, integration_id, name="Other")
    assert renamed.is_tested
    changed = await integrations.change(actor, integration_id, settings={"webhookUrl": slack.url("billing")})
    assert (changed.last_test_at, changed.is_tested) == (None, False), "other settings are not tested yet"
    assert await integrations.get(actor, integration_id) == changed


async def test_the_result_of_a_test_belongs_to_the_settings_that_were_tested(
    installation: Installation, slack: SlackStandIn
) -> None:
    actor, integrations = installation.actor, installation.services.integrations
    integration_id = (await create(installation, slack.url("general"))).id
    hang = Hang()
    slack.script("general", hang)
    testing = asyncio.create_task(integrations.test(actor, integration_id))
    await slack.wait_for(1, "general")
    await integrations.change(actor, integration_id, settings={"webhookUrl": slack.url("billing")})
    hang.release()
    assert (await testing).ok
    assert not (await integrations.get(actor, integration_id)).is_tested


async def test_a_new_webhook_url_reactivates_a_failing_integration(installation: Installation) -> None:
    actor, services, integration_id = installation.actor, installation.services, installation.integration_id
    await installation.accept_ticket()
    database, now = installation.database, installation.clock.now()
    await database.execute(
        "dispatch_mark_failing", id=integration_id, reason="404", now=now, probe_interval=5, probe_at=now + 5
    )
    await database.execute("dispatch_park", integration_id=integration_id, now=now, limit=100)
    shown = await services.integrations.get(actor, integration_id)
    assert (shown.status, shown.last_error) == ("failing", "404")
    (parked,) = (await services.deliveries.list(actor)).items
    assert parked.parked_at == now
    installation.recording_wake.integration_ids.clear()
    url = {"webhookUrl": "http://127.0.0.1:9/services/T0/B0/another"}
    changed = await services.integrations.change(actor, integration_id, settings=url)
    assert (changed.status, changed.last_error) == ("active", "")
    (due,) = (await services.deliveries.list(actor)).items
    assert (due.parked_at, due.next_attempt_at) == (None, now)
    assert installation.recording_wake.integration_ids == [integration_id]


async def test_deleting_an_integration_fails_its_deliveries(
    installation: Installation,
) -> None:
    actor, services, integration_id = installation.actor, installation.services, installation.integration_id
    await installation.accept_ticket()
    assert await refused_code(services.integrations.delete(actor, integration_id)) == ("in_use", None)
    for alias_id in installation.aliases.values():
        await services.aliases.delete(actor, alias_id)
    await services.workspaces.change(actor, default_integration_id=integration_id)
    await services.integrations.delete(actor, integration_id)
    (delivery,) = (await services.deliveries.list(actor, DeliveryFilter(state="dead"))).items
    assert delivery.last_error == "the integration was removed"
    assert (await services.workspaces.get(actor)).default_integration_id is None
    assert await refused_code(services.deliveries.replay(actor, delivery.id)) == ("conflict", None)


async def test_invalid_integrations(installation: Installation) -> None:
    url = "https://hooks.slack.test/services/T/B/x"
    assert await refused_code(create(installation, url, type="teams")) == ("invalid_integration", "type")
    for name in ("", "a\u202eb"):
        assert await refused_code(create(installation, url, name=name)) == ("invalid_request", "name")
    for wrong in ("not a url", "ftp://hooks.slack.test/services/x", "https://user:pw@hooks.slack.test/x"):
        assert await refused_code(create(installation, wrong)) == ("invalid_webhook_url", "webhookUrl")
