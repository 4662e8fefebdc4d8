"""Every route that requires a role, with every role and with unusable keys."""

import re
from pathlib import Path

import pytest

from api.resources import ROUTES
from api.route import Route
from router.admin import paging
from router.enumerations import Role
from tests.support.installation.http import ApiClient, ServedInstallation, serve_api
from tests.support.stores import sqlite_store

ROLES: tuple[Role, ...] = ("admin", "agent", "viewer")

# Repeats the required role of each route, so that a new or changed route fails the test until this table is updated.
REQUIRED_ROLES: dict[tuple[str, str], Role | None] = {
    ("POST", "/auth/login"): None,
    ("POST", "/auth/logout"): None,
    ("GET", "/auth/me"): "viewer",
    ("GET", "/auth/sessions"): "viewer",
    ("DELETE", "/auth/sessions/{id}"): "viewer",
    ("POST", "/auth/password"): "viewer",
    ("GET", "/workspace"): "viewer",
    ("PATCH", "/workspace"): "admin",
    ("PATCH", "/domains/{id}"): "admin",
    ("GET", "/users"): "viewer",
    ("POST", "/users"): "admin",
    ("GET", "/users/{id}"): "viewer",
    ("PATCH", "/users/{id}"): "admin",
    ("POST", "/users/{id}/password-link"): "admin",
    ("DELETE", "/users/{id}"): "admin",
    ("GET", "/keys"): "viewer",
    ("POST", "/keys"): "admin",
    ("DELETE", "/keys/{id}"): "admin",
    ("GET", "/domains"): "viewer",
    ("POST", "/domains"): "admin",
    ("GET", "/domains/preview"): "admin",
    ("GET", "/domains/{id}"): "viewer",
    ("POST", "/domains/{id}/verify"): "admin",
    ("POST", "/domains/{id}/sending"): "admin",
    ("POST", "/domains/{id}/sending/rotate"): "admin",
    ("POST", "/domains/{id}/sending/test"): "admin",
    ("DELETE", "/domains/{id}"): "admin",
    ("GET", "/integrations"): "viewer",
    ("POST", "/integrations"): "admin",
    ("GET", "/integrations/{id}"): "viewer",
    ("PATCH", "/integrations/{id}"): "admin",
    ("DELETE", "/integrations/{id}"): "admin",
    ("POST", "/integrations/{id}/test"): "admin",
    ("GET", "/aliases"): "viewer",
    ("POST", "/aliases"): "admin",
    ("GET", "/aliases/{id}"): "viewer",
    ("PATCH", "/aliases/{id}"): "admin",
    ("DELETE", "/aliases/{id}"): "admin",
    ("POST", "/aliases/{id}/test"): "admin",
    ("GET", "/emails/tickets"): "viewer",
    ("GET", "/emails/tickets/mine"): "viewer",
    ("GET", "/emails/tickets/unassigned"): "viewer",
    ("GET", "/emails/tickets/{id}"): "viewer",
    ("GET", "/emails/tickets/{id}/messages"): "viewer",
    ("DELETE", "/emails/tickets/{id}"): "admin",
    ("POST", "/emails/tickets/{id}/claim"): "agent",
    ("POST", "/emails/tickets/{id}/unclaim"): "agent",
    ("POST", "/emails/tickets/{id}/assign"): "agent",
    ("POST", "/emails/tickets/{id}/status"): "agent",
    ("POST", "/emails/tickets/{id}/priority"): "agent",
    ("POST", "/emails/tickets/{id}/spam"): "agent",
    ("POST", "/emails/tickets/{id}/notes"): "agent",
    ("PATCH", "/emails/tickets/{id}/notes/{note}"): "agent",
    ("DELETE", "/emails/tickets/{id}/notes/{note}"): "agent",
    ("GET", "/emails/tickets/{id}/draft"): "agent",
    ("PUT", "/emails/tickets/{id}/draft"): "agent",
    ("DELETE", "/emails/tickets/{id}/draft"): "agent",
    ("POST", "/emails/tickets/{id}/replies"): "agent",
    ("GET", "/emails/tickets/{id}/replies"): "viewer",
    ("GET", "/replies"): "viewer",
    ("GET", "/replies/{id}"): "viewer",
    ("DELETE", "/replies/{id}"): "agent",
    ("POST", "/replies/{id}/retry"): "agent",
    ("POST", "/uploads"): "agent",
    ("GET", "/senders/{address}"): "viewer",
    ("POST", "/emails/tickets/{id}/tags"): "agent",
    ("GET", "/tags"): "viewer",
    ("PATCH", "/tags/{id}"): "admin",
    ("DELETE", "/tags/{id}"): "admin",
    ("GET", "/templates"): "viewer",
    ("POST", "/templates"): "admin",
    ("GET", "/templates/{id}"): "viewer",
    ("PATCH", "/templates/{id}"): "admin",
    ("DELETE", "/templates/{id}"): "admin",
    ("POST", "/templates/{id}/render"): "agent",
    ("GET", "/canned-responses"): "viewer",
    ("POST", "/canned-responses"): "admin",
    ("GET", "/canned-responses/{id}"): "viewer",
    ("PATCH", "/canned-responses/{id}"): "admin",
    ("DELETE", "/canned-responses/{id}"): "admin",
    ("GET", "/emails/messages"): "viewer",
    ("GET", "/emails/messages/{id}/raw"): "viewer",
    ("GET", "/emails/messages/{id}/attachments/{n}"): "viewer",
    ("GET", "/emails/messages/{id}/trace"): "viewer",
    ("POST", "/emails/messages/{id}/recheck"): "agent",
    ("GET", "/deliveries"): "viewer",
    ("POST", "/deliveries/replay"): "admin",
    ("GET", "/deliveries/{id}"): "viewer",
    ("POST", "/deliveries/{id}/replay"): "admin",
    ("GET", "/allowed-senders"): "viewer",
    ("POST", "/allowed-senders"): "admin",
    ("DELETE", "/allowed-senders/{sender}"): "admin",
    ("GET", "/blocked-senders"): "viewer",
    ("POST", "/blocked-senders"): "admin",
    ("DELETE", "/blocked-senders/{sender}"): "admin",
    ("POST", "/explain"): "viewer",
    ("GET", "/audit"): "admin",
    ("GET", "/overview"): "viewer",
    ("GET", "/health"): "viewer",
}
# These bodies pass validation, so that a missing object is reported as missing.
BODIES = {
    "/domains/{id}": {"mxManagedUpstream": True},
    "/domains/{id}/sending": {"enabled": True},
    "/emails/tickets/{id}/assign": {"userId": "user_none"},
    "/emails/tickets/{id}/status": {"status": "open"},
    "/emails/tickets/{id}/priority": {"priority": "high"},
    "/emails/tickets/{id}/spam": {"spam": True},
    "/emails/tickets/{id}/notes": {"text": "Hello"},
    "/emails/tickets/{id}/notes/{note}": {"text": "Hello"},
    "/emails/tickets/{id}/draft": {"kind": "note", "text": "Hello"},
    "/emails/tickets/{id}/replies": {"text": "Hello"},
    "/templates/{id}/render": {"ticketId": "1"},
}


def test_matrix_covers_every_route() -> None:
    assert {(route.method, route.path): route.role for route in ROUTES} == REQUIRED_ROLES
    assert len({route.operation_id for route in ROUTES}) == len(ROUTES)


async def call_route(client: ApiClient, route: Route, ids: dict[str, str] | None = None) -> tuple[int, bytes]:
    known = ids or {}
    path = re.sub(r"{([a-z]+)}", lambda match: known.get(match[1], "1"), route.path)
    if "kind" in route.query.model_fields:
        path += "?kind=note"
    body = BODIES.get(route.path, {}) if route.method in ("POST", "PUT", "PATCH") else None
    reply = await client.request(route.method, path, body)
    return reply.status, reply.content


async def test_roles(sqlite_served: ServedInstallation) -> None:
    clients = {role: (await sqlite_served.add_client(role))[0] for role in ROLES}
    for route in ROUTES:
        required = REQUIRED_ROLES[route.method, route.path]
        if required is None:
            continue
        for role in ROLES:
            status, content = await call_route(clients[role], route)
            if ROLES.index(role) > ROLES.index(required):
                assert (status, b'"forbidden"' in content) == (403, True), (route.path, role)
            else:
                assert status not in (401, 403), (route.path, role, content)
                assert status < 500, (route.path, role, content)


async def test_unusable_keys_are_unauthorized(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    expired = await served.services.keys.create(served.actor, name="expired", expires_at=served.clock.now() + 1)
    revoked = await served.services.keys.create(served.actor, name="revoked")
    await served.services.keys.revoke(served.actor, revoked.key.id)
    disabled, user_id = await served.add_client("agent")
    await served.services.users.change(served.actor, user_id, disabled=True)
    served.clock.advance(1)
    clients = {
        "none": served.anonymous,
        "unknown": served.client("er_" + "x" * 44),
        "garbage": served.client("x"),
        "too long": served.client("x" * 300),
        "expired": served.client(expired.plaintext),
        "revoked": served.client(revoked.plaintext),
        "disabled": disabled,
    }
    for route in (route for route in ROUTES if route.role is not None):
        for state, client in clients.items():
            status, content = await call_route(client, route)
            assert (status, b'"unauthorized"' in content) == (401, True), (route.path, state, content)


async def test_foreign_and_missing_objects_look_the_same(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    other, _ = await served.create_workspace()
    domain_id, integration_id, alias_id = await served.create_alias()
    message_id = await served.accept_message()
    ticket = (await served.admin.get("/emails/tickets")).body["tickets"][0]
    delivery = (await served.admin.get("/deliveries")).body["deliveries"][0]
    key = (await served.admin.get("/keys")).body["keys"][0]
    await served.admin.post(f"/emails/tickets/{ticket['id']}/tags", {"add": ["Billing"]})
    tag = (await served.admin.get("/tags")).body["tags"][0]
    template = (await served.admin.post("/templates", {"name": "Received", "body": "Hello"})).body
    canned = (await served.admin.post("/canned-responses", {"title": "Hours", "body": "Hello"})).body
    await served.admin.post("/allowed-senders", {"sender": "@good.example"})
    await served.admin.post("/blocked-senders", {"sender": "@spam.example"})
    await served.services.sessions.sign_in(served.login.email, served.login.password, address="")
    await served.execute(
        "INSERT INTO replies (id, workspace_id, ticket_id, message_id, state, actor_type, send_at, created_at) "
        "SELECT :id, workspace_id, id, 'msg_1', 'queued', 'system', 1, 1 FROM tickets",
        id=f"rpl_{'1' * 26}",
    )
    real = {
        "auth": (await served.admin.get("/auth/sessions")).body["sessions"][0]["id"],
        "users": served.login.user_id,
        "keys": key["id"],
        "domains": domain_id,
        "integrations": integration_id,
        "aliases": alias_id,
        "tickets": ticket["id"],
        "tags": tag["id"],
        "templates": template["id"],
        "canned-responses": canned["id"],
        "replies": f"rpl_{'1' * 26}",
        "messages": message_id,
        "deliveries": delivery["id"],
        "allowed-senders": "@good.example",
        "blocked-senders": "@spam.example",
    }
    # Any address is a sender, with no tickets.
    with_id = [route for route in ROUTES if "{" in route.path and route.tag != "senders"]
    for route in with_id:
        noun = "messages" if "/messages/" in route.path else route.tag
        object_id = real[noun]
        prefix = object_id.partition("_")[0]
        missing = "@ham.example" if object_id.startswith("@") else f"{prefix}_{'0' * 26}"
        foreign_answer = await call_route(other, route, {"id": object_id, "sender": object_id})
        missing_answer = await call_route(other, route, {"id": missing, "sender": missing})
        assert foreign_answer[0] == 404, (route.path, foreign_answer)
        assert foreign_answer == missing_answer, route.path
    assert (await served.admin.get(f"/domains/{domain_id}")).status == 200


async def test_both_prefixes_are_equivalent(sqlite_served: ServedInstallation) -> None:
    for path in ("/domains", "/openapi.json", "/workspace"):
        one = await sqlite_served.admin.get(f"//api{path}")
        two = await sqlite_served.admin.get(f"//v1{path}")
        assert one.status == two.status == 200
        assert one.body == two.body


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_health_needs_no_key(sqlite_served: ServedInstallation, path: str) -> None:
    answer = await sqlite_served.anonymous.get(f"/{path}")
    assert (answer.status, answer.body) == (200, {"status": "ok"})


async def test_not_ready_without_a_database(tmp_path: Path) -> None:
    async with sqlite_store(tmp_path) as store, serve_api(store) as served:
        await store.database.close()
        answer = await served.anonymous.get("//readyz")
        assert (answer.status, answer.code) == (503, "unavailable")
        assert (await served.anonymous.get("//healthz")).status == 200


async def test_unstorable_text_is_rejected_everywhere(served: ServedInstallation) -> None:
    """PostgreSQL rejects texts with NUL. A cursor can contain NUL too."""
    admin = served.admin
    for route in ROUTES:
        body = BODIES.get(route.path, {}) if route.method in ("POST", "PUT", "PATCH") else None
        names = [field.alias or name for name, field in route.query.model_fields.items()]
        path = re.sub("{[a-z]+}", "1", route.path)
        if "cursor" in names:
            for cursor in (paging.encode_cursor("\0"), paging.encode_cursor("user_" + "\0" * 26), "%00"):
                refused = await admin.request(route.method, f"{path}?cursor={cursor}")
                assert (refused.status, refused.code) == (400, "invalid_request"), (route.path, cursor)
        for name in names:
            refused = await admin.request(route.method, f"{path}?{name}=a%00", body)
            assert (refused.status, refused.code) == (400, "invalid_request"), (route.path, name)
        if "{" in route.path:
            path = re.sub(r"{[a-z]+}", "a%00", route.path)
            refused = await admin.request(route.method, path, body, headers={"Idempotency-Key": "once"})
            assert (refused.status, refused.code) == (400, "invalid_request"), path
