"""The workspace, its users and API keys over REST."""

from pathlib import Path

from tests.support.installation.http import PASSWORD, ServedInstallation, serve_api
from tests.support.smarthost import ScriptedSmarthost
from tests.support.stores import sqlite_store


async def test_show_and_change_the_workspace(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    integration_id = await served.create_integration()
    shown = await served.admin.get("/workspace")
    assert shown.status == 200
    assert shown.body == {
        "id": served.workspace_id,
        "name": "Email Router",
        "defaultIntegrationId": None,
        "timezone": "UTC",
        "locale": "en",
        "senderChecks": {"onFail": "flag", "onSpam": "quarantine", "spamScore": None, "reject": []},
        "createdAt": "2030-01-01T12:00:00Z",
    }
    changed = await served.admin.patch("/workspace", {"name": "Doors Ltd", "defaultIntegrationId": integration_id})
    assert changed.status == 200
    assert changed.body == shown.body | {"name": "Doors Ltd", "defaultIntegrationId": integration_id}
    assert (await served.admin.patch("/workspace", {"name": "Doors"})).body["defaultIntegrationId"] == integration_id
    assert (await served.admin.patch("/workspace", {"defaultIntegrationId": None})).body["defaultIntegrationId"] is None
    refused = await served.admin.patch("/workspace", {"defaultIntegrationId": "int_" + "0" * 26})
    assert (refused.status, refused.code) == (400, "invalid_integration")


async def test_time_zone_and_locale_of_the_workspace(sqlite_served: ServedInstallation) -> None:
    admin = sqlite_served.admin
    changed = (await admin.patch("/workspace", {"timezone": "Europe/Berlin", "locale": "de"})).body
    assert (changed["timezone"], changed["locale"]) == ("Europe/Berlin", "de")
    assert (await admin.patch("/workspace", {"name": "Acme"})).body == changed | {"name": "Acme"}
    assert (await admin.patch("/workspace", {"timezone": None, "locale": None})).body["timezone"] == "Europe/Berlin"
    for field, value, message in (
        ("timezone", "Europe/Atlantis", "timezone must be an IANA time zone such as Europe/Berlin"),
        ("timezone", "../../etc/passwd", "timezone must be an IANA time zone such as Europe/Berlin"),
        ("timezone", "", "timezone must be an IANA time zone such as Europe/Berlin"),
        ("locale", "tlh", "locale must be one of: en, en-GB, en-US, de, es, fr, it, nl, pt"),
    ):
        refused = await admin.patch("/workspace", {field: value})
        assert (refused.status, refused.code, refused.field) == (400, "invalid_request", field)
        assert refused.body["error"]["message"] == message
    assert (await admin.get("/auth/me")).body["workspace"]["timezone"] == "Europe/Berlin"


async def test_the_time_zone_of_a_user(sqlite_served: ServedInstallation) -> None:
    admin = sqlite_served.admin
    created = await admin.post("/users", {"email": "ada@example.org", "timezone": "Asia/Tokyo"})
    assert (created.status, created.body["timezone"]) == (201, "Asia/Tokyo")
    path = f"/users/{created.body['id']}"
    assert (await admin.patch(path, {"name": "Ada"})).body["timezone"] == "Asia/Tokyo"
    assert (await admin.patch(path, {"timezone": None})).body["timezone"] is None
    assert (await admin.patch(path, {"timezone": "UTC"})).body["timezone"] == "UTC"
    refused = await admin.patch(path, {"timezone": "localtime"})
    assert (refused.status, refused.field) == (400, "timezone")
    assert (await admin.post("/users", {"email": "b@example.org", "timezone": "Mars"})).field == "timezone"
    assert [user["timezone"] for user in (await admin.get("/users")).body["users"]] == ["UTC", None]


async def test_users(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    created = await served.admin.post("/users", {"email": "Grace@Example.ORG", "name": "Grace", "role": "agent"})
    assert created.status == 201
    assert (created.body["email"], created.body["role"], created.body["canSignIn"]) == (
        "grace@example.org",
        "agent",
        False,
    )
    again = await served.admin.post("/users", {"email": "grace@example.org"})
    assert (again.status, again.code, again.field) == (409, "conflict", "email")
    path = f"/users/{created.body['id']}"
    changed = await served.admin.patch(path, {"name": "Grace H.", "role": "viewer", "password": PASSWORD})
    assert changed.status == 200
    assert (changed.body["name"], changed.body["role"], changed.body["canSignIn"]) == ("Grace H.", "viewer", True)
    assert b"argon2" not in changed.content
    assert (await served.admin.get(path)).body == changed.body
    assert (await served.admin.patch(path, {"disabled": True})).body["disabledAt"] == "2030-01-01T12:00:00Z"
    assert (await served.admin.patch(path, {"disabled": False})).body["disabledAt"] is None
    assert [user["email"] for user in (await served.admin.get("/users")).body["users"]] == [
        "grace@example.org",
        "admin@example.org",
    ]
    assert (await served.admin.delete(path)).status == 204
    assert (await served.admin.get(path)).status == 404
    for body, field in (
        ({"email": "no address"}, "email"),
        ({"email": "a@b.example", "role": "root"}, "role"),
        ({"email": "a@b.example", "password": "short"}, "password"),
        ({"email": "a@b.example", "password": "x" * 2000}, "password"),
    ):
        refused = await served.admin.post("/users", body)
        assert (refused.status, refused.field) == (400, field)


async def test_an_invitation_and_a_password_link(sqlite_served: ServedInstallation) -> None:
    admin = sqlite_served.admin
    created = await admin.post("/users", {"email": "ada@example.org"})
    assert created.body.keys().isdisjoint({"url", "expiresAt"})
    body = {"email": "grace@example.org", "role": "viewer", "invite": True}
    invited = await admin.post("/users", body, headers={"Idempotency-Key": "invite"})
    assert (invited.status, invited.body["role"], invited.body["canSignIn"]) == (201, "viewer", False)
    assert (invited.body.keys() - created.body.keys(), invited.body["expiresAt"]) == (
        {"url", "expiresAt"},
        "2030-01-08T12:00:00Z",
    )
    again = await admin.post("/users", body, headers={"Idempotency-Key": "invite"})
    assert (again.status, again.code) == (409, "conflict")
    stored = await sqlite_served.execute("SELECT answer FROM idempotent_requests")
    assert [row["answer"] for row in stored] == [None]
    kept = [await admin.post("/users", {"email": "kay@example.org"}, headers={"Idempotency-Key": "k"}) for _ in "ab"]
    assert kept[0].content == kept[1].content
    both = await admin.post("/users", body | {"email": "b@example.org", "password": PASSWORD})
    assert (both.status, both.field) == (400, "password")
    path = f"/users/{invited.body['id']}"
    link = await admin.post(f"{path}/password-link")
    assert (link.status, link.body.keys(), link.body["expiresAt"]) == (
        200,
        {"url", "expiresAt"},
        "2030-01-02T12:00:00Z",
    )
    assert link.body["url"].startswith("http://127.0.0.1:8080/set-password?token=")
    assert link.body["url"] != invited.body["url"]
    assert (await admin.patch(path, {"disabled": True})).status == 200
    assert (await admin.post(f"{path}/password-link")).code == "conflict"
    assert (await admin.post("/users/user_" + "0" * 26 + "/password-link")).status == 404


async def test_link_is_mailed_and_can_be_returned(tmp_path: Path) -> None:
    async with ScriptedSmarthost() as smarthost, sqlite_store(tmp_path) as store:
        settings = {"outgoing.smarthost": smarthost.url, "server.public_url": "https://tickets.router.test"}
        async with serve_api(store, settings) as served:
            body = {"email": "grace@example.org", "invite": True}
            mailed = [await served.admin.post("/users", body, headers={"Idempotency-Key": "invite"}) for _ in "ab"]
            assert (mailed[0].status, mailed[0].body["mailedTo"]) == (201, "grace@example.org")
            assert (mailed[0].content == mailed[1].content, "url" in mailed[0].body) == (True, False)
            path = f"/users/{mailed[0].body['id']}/password-link"
            shown = await served.admin.post(path, {"mail": False})
            assert shown.body.keys() == {"url", "expiresAt"}
            smarthost.answers["mail"] = "550 5.7.1 Not you"
            failed = await served.admin.post(path)
            assert (failed.body["mailError"], "url" in failed.body) == ("550 5.7.1 Not you", True)
    assert len(smarthost.accepted) == 1


async def test_last_admin_is_kept(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    path = f"/users/{served.login.user_id}"
    for refused in (await served.admin.patch(path, {"role": "agent"}), await served.admin.delete(path)):
        assert (refused.status, refused.code) == (409, "conflict")
    await served.add_client("admin")
    assert (await served.admin.patch(path, {"role": "agent"})).status == 200
    assert (await served.admin.patch(path, {"role": "admin"})).status == 403


async def test_keys(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    created = await served.admin.post("/keys", {"name": "CI", "role": "viewer", "expiresAt": "2030-01-02T00:00:00Z"})
    assert created.status == 201
    assert created.body["key"].startswith("er_")
    assert created.body["expiresAt"] == "2030-01-02T00:00:00Z"
    listed = await served.admin.get("/keys")
    assert listed.status == 200
    assert created.body["key"].encode() not in listed.content
    assert [key["name"] for key in listed.body["keys"]] == ["CI", "first key"]
    client = served.client(created.body["key"])
    assert (await client.get("/auth/me")).body["role"] == "viewer"
    await served.services.authentication.close()
    assert (await served.admin.get("/keys")).body["keys"][0]["lastUsedAt"] == "2030-01-01T12:00:00Z"
    assert (await served.admin.delete(f"/keys/{created.body['id']}")).status == 204
    assert (await client.get("/auth/me")).status == 401
    assert (await served.admin.get("/keys")).body["keys"][0]["revokedAt"] == "2030-01-01T12:00:00Z"
    agent, agent_id = await served.add_client("agent")
    assert [key["userId"] for key in (await agent.get("/keys")).body["keys"]] == [agent_id]
    for body, field in (
        ({"name": "x", "userId": agent_id, "role": "admin"}, "role"),
        ({"name": "x", "userId": "user_none"}, "userId"),
        ({"name": "x", "userId": ""}, "userId"),
        ({"name": "x", "expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
        ({"name": "x", "expiresAt": "tomorrow"}, "expiresAt"),
        ({"name": "x", "expiresAt": "2031-01-01T00:00:00"}, "expiresAt"),
        ({"name": ""}, "name"),
        ({}, "name"),
    ):
        refused = await served.admin.post("/keys", body)
        assert (refused.status, refused.field) == (400, field)
