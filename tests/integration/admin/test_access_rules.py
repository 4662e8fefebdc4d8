"""Use cases of workspaces, users and API keys."""

import json

from router.model import Actor
from tests.support.installation import Installation
from tests.support.refusal import refused_code

PASSWORD = "correct horse battery"


async def authenticate(installation: Installation, key: str) -> Actor:
    return (await installation.services.authentication.authenticate_key(key)).actor


async def test_changing_a_workspace_keeps_other_fields(installation: Installation) -> None:
    actor, workspaces = installation.actor, installation.services.workspaces
    shown = await workspaces.get(actor)
    assert (shown.id, shown.default_integration_id) == (installation.workspace_id, None)
    changed = await workspaces.change(actor, name="Doors Ltd", default_integration_id=installation.integration_id)
    assert (changed.name, changed.default_integration_id) == ("Doors Ltd", installation.integration_id)
    renamed = await workspaces.change(actor, name="Doors")
    assert (renamed.name, renamed.default_integration_id) == ("Doors", installation.integration_id)
    assert (await workspaces.change(actor, clear_default_integration=True)).default_integration_id is None
    unknown = workspaces.change(actor, default_integration_id="int_" + "0" * 26)
    assert await refused_code(unknown) == ("invalid_integration", "defaultIntegrationId")


async def test_users_are_created_changed_and_deleted(installation: Installation) -> None:
    actor, users = installation.actor, installation.services.users
    await users.create(actor, email="admin@example.org", role="admin")
    made = await users.create(actor, email="Grace@Example.ORG", name="Grace", role="agent")
    assert (made.email, made.role, made.password_hash) == ("grace@example.org", "agent", None)
    assert await refused_code(users.create(actor, email="grace@example.org")) == ("conflict", "email")
    elsewhere = users.create(await installation.add_workspace(), email="grace@example.org")
    assert await refused_code(elsewhere) == ("conflict", "email")
    changed = await users.change(actor, made.id, name="Grace H.", role="viewer", password=PASSWORD)
    assert (changed.name, changed.role) == ("Grace H.", "viewer")
    assert changed.password_hash is not None
    assert PASSWORD not in changed.password_hash
    assert (await users.change(actor, made.id, disabled=True)).disabled_at == installation.clock.now()
    assert (await users.change(actor, made.id, disabled=False)).disabled_at is None
    assert [user.email for user in (await users.list(actor)).items] == ["grace@example.org", "admin@example.org"]
    await users.delete(actor, made.id)
    assert await refused_code(users.get(actor, made.id)) == ("not_found", None)
    assert await refused_code(users.create(actor, email="no address")) == ("invalid_request", "email")
    assert await refused_code(users.create(actor, email="a@b.example", role="root")) == ("invalid_request", "role")
    for password in ("short", "x" * 2000):
        refused = await refused_code(users.create(actor, email="a@b.example", password=password))
        assert refused == ("invalid_request", "password")


async def test_time_zones_and_locale(installation: Installation) -> None:
    actor, users, workspaces = installation.actor, installation.services.users, installation.services.workspaces
    shown = await workspaces.get(actor)
    assert (shown.timezone, shown.locale) == ("UTC", "en")
    changed = await workspaces.change(actor, timezone="Europe/Berlin", locale="de")
    assert (changed.timezone, changed.locale) == ("Europe/Berlin", "de")
    assert await workspaces.change(actor, name=changed.name) == changed
    assert await refused_code(workspaces.change(actor, timezone="Europe/Atlantis")) == ("invalid_request", "timezone")
    assert await refused_code(workspaces.change(actor, locale="xx")) == ("invalid_request", "locale")

    made = await users.create(actor, email="grace@example.org", timezone="Asia/Tokyo")
    assert made.timezone == "Asia/Tokyo"
    assert (await users.change(actor, made.id, name="Grace")).timezone == "Asia/Tokyo"
    assert (await users.change(actor, made.id, clear_timezone=True)).timezone is None
    assert (await users.get(actor, made.id)).timezone is None
    assert await refused_code(users.change(actor, made.id, timezone="../UTC")) == ("invalid_request", "timezone")


async def test_the_last_admin_cannot_be_removed(installation: Installation) -> None:
    actor, users = installation.actor, installation.services.users
    user_id, key = await installation.add_user_with_key("admin")
    for step in (
        users.change(actor, user_id, role="agent"),
        users.change(actor, user_id, disabled=True),
        users.delete(actor, user_id),
    ):
        assert await refused_code(step) == ("conflict", None)
    await installation.add_user_with_key("admin", "second@example.org")
    assert (await users.change(actor, user_id, role="agent")).role == "agent"
    assert (await authenticate(installation, key)).role == "agent"


async def test_deleting_a_user_unassigns_tickets_and_revokes_keys(installation: Installation) -> None:
    ticket_id = await installation.accept_ticket()
    user_id, key = await installation.add_user_with_key()
    await installation.tickets.claim(await authenticate(installation, key), ticket_id)
    await installation.services.users.delete(installation.actor, user_id)
    view = await installation.tickets.get(installation.actor, ticket_id)
    assert (view.ticket.status, view.ticket.assigned_to) == ("open", None)
    assert (view.events[-1].type, json.loads(view.events[-1].detail)) == ("ticket.unclaimed", {"from": user_id})
    assert await refused_code(authenticate(installation, key)) == ("unauthorized", None)


async def test_a_key_is_listed_used_and_revoked(installation: Installation) -> None:
    actor, keys, now = installation.actor, installation.services.keys, installation.clock.now()
    admin = await installation.add_actor("admin")
    made = await keys.create(admin, name="CI", role="viewer", expires_at=now + 1_000_000)
    assert made.plaintext.startswith("er_")
    assert (made.key.user_id, made.key.expires_at) == (admin.user_id, now + 1_000_000)
    (listed,) = (await keys.list(actor)).items
    assert (listed, listed.name) == (made.key, "CI")
    assert made.plaintext not in str(listed)
    assert (await authenticate(installation, made.plaintext)).role == "viewer"
    await installation.services.authentication.close()
    assert (await keys.get(actor, made.key.id)).last_used_at == now
    await keys.revoke(actor, made.key.id)
    assert await refused_code(authenticate(installation, made.plaintext)) == ("unauthorized", None)
    assert (await keys.get(actor, made.key.id)).revoked_at == now


async def test_a_key_expires(installation: Installation) -> None:
    admin = await installation.add_actor("admin")
    expires_at = installation.clock.now() + 1_000_000
    made = await installation.services.keys.create(admin, name="CI", expires_at=expires_at)
    installation.clock.advance(1)
    assert await refused_code(authenticate(installation, made.plaintext)) == ("unauthorized", None)


async def test_key_ownership_rules(installation: Installation) -> None:
    actor, keys, now = installation.actor, installation.services.keys, installation.clock.now()
    admin = await installation.add_actor("admin")
    await keys.create(admin, name="of an admin")
    agent_id, key = await installation.add_user_with_key()
    agent = await authenticate(installation, key)
    assert [found.user_id for found in (await keys.list(agent)).items] == [agent_id]
    assert [found.user_id for found in (await keys.list(admin)).items] == [agent_id, admin.user_id]  # newest key first
    above = keys.create(admin, name="x", user_id=agent_id, role="admin")
    assert await refused_code(above) == ("invalid_request", "role")
    for nobody in ("user_none", ""):
        assert await refused_code(keys.create(admin, name="x", user_id=nobody)) == ("invalid_request", "userId")
    assert await refused_code(keys.create(actor, name="x")) == ("invalid_request", "userId")
    assert await refused_code(keys.create(admin, name="x", expires_at=now)) == ("invalid_request", "expiresAt")
    assert await refused_code(keys.create(admin, name="")) == ("invalid_request", "name")


async def test_a_key_is_limited_to_the_current_role_of_its_user(installation: Installation) -> None:
    users = installation.services.users
    agent_id, key = await installation.add_user_with_key()
    await users.change(installation.actor, agent_id, role="viewer")
    assert (await authenticate(installation, key)).role == "viewer"
    await users.change(installation.actor, agent_id, disabled=True)
    assert await refused_code(authenticate(installation, key)) == ("unauthorized", None)
    # Enabling the user does not restore revoked keys.
    await users.change(installation.actor, agent_id, disabled=False)
    assert await refused_code(authenticate(installation, key)) == ("unauthorized", None)
    (revoked,) = (await installation.services.keys.list(Actor(installation.workspace_id, "viewer", agent_id))).items
    assert revoked.revoked_at == installation.clock.now()
    entry = (await installation.services.audit.list(installation.actor)).items[1]
    assert '"disabled": true, "keysRevoked": 1' in entry.detail
