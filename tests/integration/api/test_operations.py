"""Routing explanation, audit log, blocked senders and the documents of the API over REST."""

import json
import re
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

from api.resources import ROUTES
from tests.support.installation.http import ServedInstallation


async def test_explanation(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    domain_id, integration_id, alias_id = await served.create_alias()
    request = {"recipient": "Support+vip@example.org", "from": "ada@customer.test", "subject": "Hello"}
    answer = await served.admin.post("/explain", request)
    explanation = answer.body
    assert answer.status == 200
    assert (explanation["accepted"], explanation["domainId"], explanation["aliasId"]) == (True, domain_id, alias_id)
    assert (explanation["integrationId"], explanation["tag"]) == (integration_id, "vip")
    assert explanation["reply"].startswith("250")
    assert [step["step"] for step in explanation["steps"]] == ["domain", "sender", "alias", "alias", "integration"]
    assert "Hello" in json.dumps(explanation["preview"])
    refused = await served.admin.post("/explain", {"recipient": "nobody@example.org"})
    assert (refused.status, refused.body["accepted"], refused.body["reply"][:9]) == (200, False, "550 5.1.1")
    await served.services.blocked_senders.create(served.actor, "@customer.test")
    blocked = (await served.admin.post("/explain", request)).body
    assert (blocked["accepted"], blocked["reply"][:9]) == (False, "550 5.7.1")
    assert [(step["step"], step["ok"]) for step in blocked["steps"]] == [("domain", True), ("sender", False)]
    for wrong in (
        {"recipient": "no address"},
        {},
        {"recipient": "a@b.c", "from": "x"},
        {"recipient": "a@b.c", "from": ""},
    ):
        assert (await served.admin.post("/explain", wrong)).status == 400


async def test_audit_log(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    created = await served.admin.post("/domains", {"domain": "example.org"})
    answer = await served.admin.get("/audit")
    (entry,) = answer.body["audit"]
    assert answer.status == 200
    assert (entry["action"], entry["target"]) == ("domain.create", created.body["id"])
    assert (entry["userId"], entry["address"]) == (served.login.user_id, "127.0.0.1")
    assert entry["keyId"].startswith("key_")
    assert entry["detail"] == {"domain": "example.org"}
    await served.admin.post("/users", {"email": "a@b.example", "password": "very-secret"})
    assert b"very-secret" not in (await served.admin.get("/audit")).content
    first = (await served.admin.get("/audit?limit=1")).body
    next_page = (await served.admin.get(f"/audit?limit=1&cursor={first['nextCursor']}")).body
    actions = [entry["action"] for entry in first["audit"] + next_page["audit"]]
    assert actions == ["user.create", "domain.create"]


async def test_blocked_senders(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    for typed, kept in (
        ("Bad@Spam.Example", "bad@spam.example"),
        ("spam.example", "@spam.example"),
        ("192.0.2.0/24", "192.0.2.0/24"),
    ):
        created = await served.admin.post("/blocked-senders", {"sender": typed})
        assert (created.status, created.body["sender"]) == (201, kept)
    wrong = await served.admin.post("/blocked-senders", {"sender": "192.0.2.77/24"})
    assert (wrong.status, wrong.code, wrong.field) == (400, "invalid_request", "sender")
    again = await served.admin.post("/blocked-senders", {"sender": "bad@SPAM.example"})
    assert (again.status, again.code) == (409, "conflict")
    page = (await served.admin.get("/blocked-senders?limit=2")).body
    next_page = (await served.admin.get(f"/blocked-senders?limit=2&cursor={page['nextCursor']}")).body
    senders = [blocked["sender"] for blocked in page["blockedSenders"] + next_page["blockedSenders"]]
    assert senders == ["192.0.2.0/24", "@spam.example", "bad@spam.example"]
    for sender in ("192.0.2.0%2F24", "@spam.example", "bad@spam.example"):
        assert (await served.admin.delete(f"//api/blocked-senders/{sender}")).status == 204, sender
    assert (await served.admin.get("/blocked-senders")).body == {"blockedSenders": []}


async def test_many_senders_in_one_call(sqlite_served: ServedInstallation) -> None:
    admin = sqlite_served.admin
    await admin.post("/blocked-senders", {"sender": "@b.example", "note": "kept"})
    many = {"senders": ["@A.example", "@b.example", "a.example", ".c.example"], "action": "spam", "note": "May"}
    added = await admin.post("/blocked-senders", many)
    assert added.status == 201
    assert [(each["sender"], each["action"], each["note"]) for each in added.body["blockedSenders"]] == [
        ("@a.example", "spam", "May"),
        (".c.example", "spam", "May"),
    ]
    assert added.body["alreadyListed"] == ["@b.example"]
    wrong = await admin.post("/blocked-senders", {"senders": ["@d.example", "*@e.example"]})
    assert (wrong.status, wrong.field) == (400, "senders")
    assert "'*@e.example' must be an address" in wrong.body["error"]["message"]
    bodies: tuple[dict[str, object], ...] = (
        {},
        {"sender": "@d.example", "senders": ["@d.example"]},
        {"senders": []},
        {"senders": ["@d"] * 1001},
    )
    for body in bodies:
        assert (await admin.post("/blocked-senders", body)).status == 400
    assert (await admin.post("/blocked-senders", {"sender": "@d.example", "action": "drop"})).field == "action"
    listed = (await admin.get("/blocked-senders")).body["blockedSenders"]
    assert [(each["sender"], each["note"], each["hits"], each["lastHitAt"]) for each in listed] == [
        (".c.example", "May", 0, None),
        ("@a.example", "May", 0, None),
        ("@b.example", "kept", 0, None),
    ]


async def test_allowed_senders(sqlite_served: ServedInstallation) -> None:
    admin = sqlite_served.admin
    required = {"@a.example": True, "192.0.2.0/24": False}
    for sender, require_auth in required.items():
        created = await admin.post("/allowed-senders", {"sender": sender})
        assert (created.status, created.body["requireAuth"]) == (201, require_auth)
    network = await admin.post("/allowed-senders", {"sender": "192.0.2.1", "requireAuth": True})
    assert (network.status, network.field) == (400, "requireAuth")
    listed = (await admin.get("/allowed-senders?q=a.ex")).body["allowedSenders"]
    assert [each["sender"] for each in listed] == ["@a.example"]
    assert (await admin.delete("//api/allowed-senders/192.0.2.0%2F24")).status == 204
    assert (await admin.delete("/allowed-senders/@b.example")).status == 404


URL = "https://hooks.slack.test/services/T0/B0/x"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/emails/tickets/{ticket}/tags", {"add": ["t", "T"] * 20 + [f"  {'x' * 50}  "], "remove": ["y"] * 30}),
        ("POST", "/emails/tickets/{ticket}/priority", {"priority": "not-urgent"}),
        ("PATCH", "/tags/{tag}", {"name": f" {'x' * 50} ", "color": "#AbCdEf"}),
        ("PATCH", "/tags/{tag}", {"name": None, "color": ""}),
        ("POST", "/integrations", {"type": "slack", "name": f" {'n' * 200} ", "webhookUrl": f" {URL}{'x' * 955} "}),
        ("POST", "/integrations", {"type": "slack", "name": "n", "settings": {"webhookUrl": f"{URL}{' ' * 1000}"}}),
        (
            "POST",
            "/integrations",
            {"type": "discord", "name": "n", "webhookUrl": URL, "settings": {"threadId": " 42 ", "username": None}},
        ),
        ("PATCH", "/integrations/{integration}", {"settings": {"webhookUrl": URL}, "webhookUrl": URL, "name": None}),
    ],
)
async def test_openapi_document_allows_what_is_accepted(
    sqlite_served: ServedInstallation, method: str, path: str, body: dict[str, Any]
) -> None:
    served = sqlite_served
    _, integration_id, _ = await served.create_alias()
    ids = {
        "ticket": await served.accept_ticket(),
        "tag": (await served.tickets.tags.create(served.actor, "VIP")).id,
        "integration": integration_id,
    }
    answer = await served.admin.request(method, path.format(**ids), body)
    assert 200 <= answer.status < 300, answer.content
    document = (await served.anonymous.get("/openapi.json")).body
    operation = document["paths"][re.sub(r"\{\w+\}", "{id}", path)][method.lower()]
    given = operation["requestBody"]["content"]["application/json"]["schema"]
    returned = operation["responses"][str(answer.status)]["content"]["application/json"]["schema"]
    for schema, value in ((given, body), (returned, answer.body)):
        OAS31Validator(schema | {"components": document["components"]}).validate(value)


async def test_an_answer_has_no_settings_that_are_not_set(sqlite_served: ServedInstallation) -> None:
    schemas = (await sqlite_served.anonymous.get("/openapi.json")).body["components"]["schemas"]
    for name, types in (("PublicSettings", "string"), ("Settings", ["string", "null"])):
        assert schemas[f"Discord{name}"]["properties"]["threadId"]["type"] == types


async def test_openapi_document_describes_every_route(sqlite_served: ServedInstallation) -> None:
    answer = await sqlite_served.anonymous.get("/openapi.json")
    assert answer.status == 200
    document = answer.body
    validate(document)
    assert document["openapi"] == "3.1.0"
    assert {(method.upper(), path) for path, operations in document["paths"].items() for method in operations} == {
        (route.method, route.path) for route in ROUTES
    }
    references = set(re.findall(r'"#/components/schemas/([^"]+)"', answer.content.decode()))
    assert references == set(document["components"]["schemas"])
    ticket = document["components"]["schemas"]["TicketAnswer"]
    assert {"id", "from", "fromName", "subject", "status", "assignedTo", "receivedAt"} <= set(ticket["required"])
    assert ticket["properties"]["receivedAt"]["format"] == "date-time"
    limit = next(p for p in document["paths"]["/domains"]["get"]["parameters"] if p["name"] == "limit")
    assert limit["schema"] == {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}
