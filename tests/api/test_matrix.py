"""Every route against every role and every state of a key, by construction: made of the route table itself."""

import re
from pathlib import Path

import pytest

from api.resources import ROUTES
from api.route import Route
from router.model import Role
from tests.api.desk import Client, Desk, served
from tests.support.stores import opened_sqlite

ROLES: tuple[Role, ...] = ("admin", "agent", "viewer")

# What each route may be called by, written down a second time: a route that is new, or changed, fails until here too.
LEAST: dict[tuple[str, str], Role | None] = {
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
    ("DELETE", "/users/{id}"): "admin",
    ("GET", "/keys"): "viewer",
    ("POST", "/keys"): "admin",
    ("DELETE", "/keys/{id}"): "admin",
    ("GET", "/domains"): "viewer",
    ("POST", "/domains"): "admin",
    ("GET", "/domains/{id}"): "viewer",
    ("POST", "/domains/{id}/verify"): "admin",
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
    ("DELETE", "/emails/tickets/{id}"): "admin",
    ("POST", "/emails/tickets/{id}/claim"): "agent",
    ("POST", "/emails/tickets/{id}/unclaim"): "agent",
    ("POST", "/emails/tickets/{id}/assign"): "agent",
    ("POST", "/emails/tickets/{id}/status"): "agent",
    ("POST", "/emails/tickets/{id}/notes"): "agent",
    ("GET", "/emails/messages"): "viewer",
    ("GET", "/emails/messages/{id}/raw"): "viewer",
    ("GET", "/emails/messages/{id}/attachments/{n}"): "viewer",
    ("GET", "/emails/messages/{id}/trace"): "viewer",
    ("GET", "/deliveries"): "viewer",
    ("POST", "/deliveries/replay"): "admin",
    ("GET", "/deliveries/{id}"): "viewer",
    ("POST", "/deliveries/{id}/replay"): "admin",
    ("GET", "/blocked-senders"): "viewer",
    ("POST", "/blocked-senders"): "admin",
    ("DELETE", "/blocked-senders/{sender}"): "admin",
    ("POST", "/explain"): "viewer",
    ("GET", "/audit"): "admin",
    ("GET", "/overview"): "viewer",
    ("GET", "/health"): "viewer",
}
# A body that passes the shape, so that a missing thing is told as missing.
BODIES = {
    "/domains/{id}": {"mxManagedUpstream": True},
    "/emails/tickets/{id}/assign": {"userId": "user_none"},
    "/emails/tickets/{id}/status": {"status": "open"},
    "/emails/tickets/{id}/notes": {"text": "Hello"},
}


def test_every_route_has_its_row() -> None:
    assert {(route.method, route.path): route.role for route in ROUTES} == LEAST
    assert len({route.name for route in ROUTES}) == len(ROUTES)


async def ask(client: Client, route: Route, ids: dict[str, str] | None = None) -> tuple[int, bytes]:
    known = ids or {}
    path = re.sub(r"{([a-z]+)}", lambda match: known.get(match[1], "1"), route.path)
    body = BODIES.get(route.path, {}) if route.method in ("POST", "PATCH") else None
    reply = await client.ask(route.method, path, body)
    return reply.status, reply.octets


async def test_roles(sqlite_desk: Desk) -> None:
    clients = {role: (await sqlite_desk.person(role))[0] for role in ROLES}
    for route in ROUTES:
        least = LEAST[route.method, route.path]
        if least is None:
            continue
        for role in ROLES:
            status, octets = await ask(clients[role], route)
            if ROLES.index(role) > ROLES.index(least):
                assert (status, b'"forbidden"' in octets) == (403, True), (route.path, role)
            else:
                assert status not in (401, 403), (route.path, role, octets)
                assert status < 500, (route.path, role, octets)


async def test_keys_that_open_nothing(sqlite_desk: Desk) -> None:
    desk = sqlite_desk
    expired = await desk.services.keys.create(desk.actor, name="expired", expires_at=desk.clock.now() + 1)
    revoked = await desk.services.keys.create(desk.actor, name="revoked")
    await desk.services.keys.revoke(desk.actor, revoked.key.id)
    disabled, user_id = await desk.person("agent")
    await desk.services.users.change(desk.actor, user_id, disabled=True)
    desk.clock.advance(1)
    clients = {
        "none": desk.nobody,
        "unknown": desk.client("er_" + "x" * 44),
        "garbage": desk.client("x"),
        "too long": desk.client("x" * 300),
        "expired": desk.client(expired.clear),
        "revoked": desk.client(revoked.clear),
        "disabled": disabled,
    }
    for route in (route for route in ROUTES if route.role is not None):
        for state, client in clients.items():
            status, octets = await ask(client, route)
            assert (status, b'"unauthorized"' in octets) == (401, True), (route.path, state, octets)


async def test_what_is_foreign_and_what_is_missing_look_the_same(sqlite_desk: Desk) -> None:
    desk = sqlite_desk
    other, _ = await desk.other_workspace()
    domain_id, integration_id, alias_id = await desk.alias()
    message_id = await desk.mail()
    ticket = (await desk.admin.get("/emails/tickets")).body["tickets"][0]
    delivery = (await desk.admin.get("/deliveries")).body["deliveries"][0]
    key = (await desk.admin.get("/keys")).body["keys"][0]
    await desk.admin.post("/blocked-senders", {"sender": "@spam.example"})
    await desk.services.sessions.login(desk.login.email, desk.login.password, address="")
    real = {
        "auth": (await desk.admin.get("/auth/sessions")).body["sessions"][0]["id"],
        "users": desk.login.user_id,
        "keys": key["id"],
        "domains": domain_id,
        "integrations": integration_id,
        "aliases": alias_id,
        "tickets": ticket["id"],
        "messages": message_id,
        "deliveries": delivery["id"],
        "blocked-senders": "@spam.example",
    }
    with_id = [route for route in ROUTES if "{" in route.path]
    for route in with_id:
        noun = "messages" if "/messages/" in route.path else route.tag
        found = real[noun]
        prefix = found.partition("_")[0]
        missing = "@ham.example" if found.startswith("@") else f"{prefix}_{'0' * 26}"
        foreign_answer = await ask(other, route, {"id": found, "sender": found})
        missing_answer = await ask(other, route, {"id": missing, "sender": missing})
        assert foreign_answer[0] == 404, (route.path, foreign_answer)
        assert foreign_answer == missing_answer, route.path
    assert (await desk.admin.get(f"/domains/{domain_id}")).status == 200


async def test_both_prefixes_are_the_same(sqlite_desk: Desk) -> None:
    for path in ("/domains", "/openapi.json", "/workspace"):
        one = await sqlite_desk.admin.get(f"//api{path}")
        two = await sqlite_desk.admin.get(f"//v1{path}")
        assert one.status == two.status == 200
        assert one.body == two.body


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_health_needs_no_key(sqlite_desk: Desk, path: str) -> None:
    answer = await sqlite_desk.nobody.get(f"/{path}")
    assert (answer.status, answer.body) == (200, {"status": "ok"})


async def test_ready_only_with_a_database(tmp_path: Path) -> None:
    async with opened_sqlite(tmp_path) as store, served(store) as desk:
        await store.database.close()
        answer = await desk.nobody.get("//readyz")
        assert (answer.status, answer.code) == (503, "unavailable")
        assert (await desk.nobody.get("//healthz")).status == 200
