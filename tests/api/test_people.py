"""The workspace, its users and keys by REST."""

from tests.api.desk import PASSWORD, Desk


async def test_the_workspace(desk: Desk) -> None:
    integration_id = await desk.integration()
    shown = await desk.admin.get("/workspace")
    assert shown.body == {
        "id": desk.login.workspace_id,
        "name": "Email Router",
        "defaultIntegrationId": None,
        "createdAt": "2030-01-01T12:00:00Z",
    }
    changed = await desk.admin.patch("/workspace", {"name": "Doors Ltd", "defaultIntegrationId": integration_id})
    assert (changed.body["name"], changed.body["defaultIntegrationId"]) == ("Doors Ltd", integration_id)
    assert (await desk.admin.patch("/workspace", {"name": "Doors"})).body["defaultIntegrationId"] == integration_id
    assert (await desk.admin.patch("/workspace", {"defaultIntegrationId": None})).body["defaultIntegrationId"] is None
    refused = await desk.admin.patch("/workspace", {"defaultIntegrationId": "int_" + "0" * 26})
    assert (refused.status, refused.code) == (400, "invalid_integration")


async def test_users_are_added_changed_and_removed(desk: Desk) -> None:
    made = await desk.admin.post("/users", {"email": "Grace@Example.ORG", "name": "Grace", "role": "agent"})
    assert made.status == 201
    assert (made.body["email"], made.body["role"], made.body["canSignIn"]) == ("grace@example.org", "agent", False)
    again = await desk.admin.post("/users", {"email": "grace@example.org"})
    assert (again.status, again.code, again.field) == (409, "conflict", "email")
    path = f"/users/{made.body['id']}"
    changed = await desk.admin.patch(path, {"name": "Grace H.", "role": "viewer", "password": PASSWORD})
    assert (changed.body["name"], changed.body["role"], changed.body["canSignIn"]) == ("Grace H.", "viewer", True)
    assert b"argon2" not in changed.octets
    assert (await desk.admin.patch(path, {"disabled": True})).body["disabledAt"] == "2030-01-01T12:00:00Z"
    assert (await desk.admin.patch(path, {"disabled": False})).body["disabledAt"] is None
    assert [user["email"] for user in (await desk.admin.get("/users")).body["users"]] == [
        "grace@example.org",
        "admin@example.org",
    ]
    assert (await desk.admin.delete(path)).status == 204
    assert (await desk.admin.get(path)).status == 404
    for body, field in (
        ({"email": "no address"}, "email"),
        ({"email": "a@b.example", "role": "root"}, "role"),
        ({"email": "a@b.example", "password": "short"}, "password"),
        ({"email": "a@b.example", "password": "x" * 2000}, "password"),
    ):
        refused = await desk.admin.post("/users", body)
        assert (refused.status, refused.field) == (400, field)


async def test_the_last_admin_stays(desk: Desk) -> None:
    path = f"/users/{desk.login.user_id}"
    for refused in (
        await desk.admin.patch(path, {"role": "agent"}),
        await desk.admin.patch(path, {"disabled": True}),
        await desk.admin.delete(path),
    ):
        assert (refused.status, refused.code) == (409, "conflict")
    await desk.person("admin")
    assert (await desk.admin.patch(path, {"role": "agent"})).status == 200
    assert (await desk.admin.patch(path, {"role": "admin"})).status == 403  # from the next request on


async def test_who_leaves_gives_back_what_they_had(desk: Desk) -> None:
    await desk.alias()
    ticket_id = await desk.ticket()
    agent, agent_id = await desk.person("agent")
    await agent.post(f"/emails/tickets/{ticket_id}/claim")
    assert (await desk.admin.delete(f"/users/{agent_id}")).status == 204
    ticket = (await desk.admin.get(f"/emails/tickets/{ticket_id}")).body
    assert (ticket["status"], ticket["assignedTo"]) == ("open", None)
    assert (await agent.get("/workspace")).status == 401


async def test_keys_are_shown_once_listed_and_revoked(desk: Desk) -> None:
    made = await desk.admin.post("/keys", {"name": "CI", "role": "viewer", "expiresAt": "2030-01-02T00:00:00Z"})
    assert made.status == 201
    assert made.body["key"].startswith("er_")
    assert made.body["expiresAt"] == "2030-01-02T00:00:00Z"
    listed = await desk.admin.get("/keys")
    assert made.body["key"].encode() not in listed.octets
    assert [key["name"] for key in listed.body["keys"]] == ["CI", "first key"]
    client = desk.client(made.body["key"])
    assert (await client.get("/auth/me")).body["role"] == "viewer"
    await desk.services.authentication.close()
    assert (await desk.admin.get("/keys")).body["keys"][0]["lastUsedAt"] == "2030-01-01T12:00:00Z"
    assert (await desk.admin.delete(f"/keys/{made.body['id']}")).status == 204
    assert (await client.get("/auth/me")).status == 401
    assert (await desk.admin.get("/keys")).body["keys"][0]["revokedAt"] is not None
    agent, agent_id = await desk.person("agent")
    assert [key["userId"] for key in (await agent.get("/keys")).body["keys"]] == [agent_id]
    for body, field in (
        ({"name": "x", "userId": agent_id, "role": "admin"}, "role"),
        ({"name": "x", "userId": "user_none"}, "userId"),
        ({"name": "x", "expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
        ({"name": "x", "expiresAt": "tomorrow"}, "expiresAt"),
        ({"name": "x", "expiresAt": "2031-01-01T00:00:00"}, "expiresAt"),
        ({"name": ""}, "name"),
        ({}, "name"),
    ):
        refused = await desk.admin.post("/keys", body)
        assert (refused.status, refused.field) == (400, field)


async def test_a_key_for_nobody_is_not_ones_own(desk: Desk) -> None:
    for nobody in ("", "user_x"):
        refused = await desk.admin.post("/keys", {"name": "CI", "userId": nobody})
        assert (refused.status, refused.field) == (400, "userId")


async def test_a_key_can_do_no_more_than_its_user_can_now(desk: Desk) -> None:
    agent, agent_id = await desk.person("agent")
    await desk.admin.patch(f"/users/{agent_id}", {"role": "viewer"})
    assert (await agent.get("/auth/me")).body["role"] == "viewer"
    await desk.admin.patch(f"/users/{agent_id}", {"disabled": True})
    assert (await agent.get("/auth/me")).status == 401
