"""The audit log lists the changes in a workspace and contains no secrets."""

import json

from tests.support.installation import Installation
from tests.support.refusal import refused_code


async def test_the_audit_lists_who_changed_what(installation: Installation) -> None:
    services = installation.services
    admin = await installation.add_actor("admin", await installation.add_workspace())
    key = await services.keys.create(admin, name="CI")
    actor = (await services.authentication.authenticate_key(key.plaintext, address="192.0.2.7")).actor
    made = await services.domains.create(actor, "example.org")
    entry = (await services.audit.list(actor)).items[0]
    assert (entry.action, entry.target) == ("domain.create", made.domain.id)
    assert (entry.user_id, entry.key_id, entry.address) == (admin.user_id, key.key.id, "192.0.2.7")
    assert json.loads(entry.detail) == {"domain": "example.org"}
    before = await services.audit.list(actor)
    assert await refused_code(services.domains.create(actor, "example.org")) == ("domain_taken", "domain")
    assert await services.audit.list(actor) == before
    url = {"webhookUrl": "https://hooks.slack.test/services/T/B/very-secret"}
    await services.integrations.create(actor, type="slack", name="S", settings=url)
    await services.users.create(actor, email="a@b.example", password="very-secret")
    assert "very-secret" not in str(await services.audit.list(actor))
    first = await services.audit.list(actor, limit=2)
    rest = await services.audit.list(actor, limit=2, cursor=first.next_cursor)
    actions = [found.action for found in first.items + rest.items]
    assert actions == ["user.create", "integration.create", "domain.create", "key.create"]
    assert (await services.audit.list(installation.actor)).items == ()


async def test_the_audit_lists_changed_settings(installation: Installation) -> None:
    actor, services = installation.actor, installation.services
    secret = {"webhookUrl": "https://discord.com/api/webhooks/1/very-secret"}
    made = await services.integrations.create(actor, type="discord", name="D", settings={**secret, "threadId": "42"})
    for settings in ({"threadId": None, "username": "Desk"}, {"username": "Desk"}, secret):
        await services.integrations.change(actor, made.id, settings=settings)
    entries = (await services.audit.list(actor, limit=4)).items
    details = [json.loads(entry.detail) for entry in reversed(entries)]
    assert [(detail.get("settings"), detail.get("secrets")) for detail in details] == [
        ({"threadId": "42"}, None),
        ({"threadId": None, "username": "Desk"}, None),
        (None, None),
        (None, ["webhookUrl"]),
    ]
    assert "very-secret" not in str(entries)


async def test_the_audit_lists_no_change_of_an_integration_without_one(installation: Installation) -> None:
    actor, services = installation.actor, installation.services
    url = {"webhookUrl": "https://hooks.slack.test/services/T0/B0/x"}
    before = await services.integrations.create(actor, type="slack", name="Support", settings=url)
    for name in (None, "Support", " Support"):
        assert await services.integrations.change(actor, before.id, name=name) == before
    assert len((await services.audit.list(actor)).items) == 1
    assert (await services.integrations.change(actor, before.id, name="Sales ", settings={})).name == "Sales"
    entry = (await services.audit.list(actor)).items[0]
    assert json.loads(entry.detail) == {"name": "Sales", "before": {"name": "Support"}, "hint": before.hint}


async def test_the_operator_has_no_user_in_the_audit(installation: Installation) -> None:
    await installation.services.domains.create(installation.actor, "example.org")
    (entry,) = (await installation.services.audit.list(installation.actor)).items
    assert (entry.user_id, entry.key_id, entry.address) == (None, None, "")
