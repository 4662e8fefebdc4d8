"""The explanation, the audit, blocked senders, and the documents of the API itself."""

import json
import re

from openapi_spec_validator import validate

from api.resources import ROUTES
from tests.support.installation.http import ServedInstallation


async def test_explain_says_what_would_happen_and_does_nothing(served: ServedInstallation) -> None:
    domain_id, integration_id, alias_id = await served.alias()
    asked = {"recipient": "Support+vip@example.org", "from": "ada@customer.test", "subject": "Hello"}
    found = (await served.admin.post("/explain", asked)).body
    assert (found["accepted"], found["domainId"], found["aliasId"]) == (True, domain_id, alias_id)
    assert (found["integrationId"], found["tag"]) == (integration_id, "vip")
    assert found["reply"].startswith("250")
    assert [step["step"] for step in found["steps"]] == ["domain", "sender", "alias", "alias", "integration"]
    assert "Hello" in json.dumps(found["preview"])
    assert (await served.admin.get("/emails/tickets")).body == {"tickets": []}
    for recipient, reply in (
        ("nobody@example.org", "550 5.1.1"),
        ("support@elsewhere.test", "550 5.7.1"),
    ):
        refused = (await served.admin.post("/explain", {"recipient": recipient})).body
        assert (refused["accepted"], refused["reply"][:9]) == (False, reply)
    await served.admin.post("/blocked-senders", {"sender": "@customer.test"})
    blocked = (await served.admin.post("/explain", asked)).body
    assert (blocked["accepted"], blocked["reply"][:9]) == (False, "550 5.7.1")
    assert [(step["step"], step["ok"]) for step in blocked["steps"]] == [("domain", True), ("sender", False)]
    unknown = (await served.admin.post("/explain", asked | {"recipient": "nobody@example.org"})).body
    assert unknown["reply"].startswith("550 5.1.1"), "as at RCPT: a blocked sender is refused an alias that exists"
    await served.admin.patch(f"/aliases/{alias_id}", {"status": "disabled"})
    disabled = (await served.admin.post("/explain", {"recipient": "support@example.org"})).body
    assert disabled["reply"].startswith("550 5.2.1")
    assert (await served.admin.post("/explain", {"recipient": "postmaster@example.org"})).body["accepted"] is True
    for wrong in (
        {"recipient": "no address"},
        {},
        {"recipient": "a@b.c", "from": "x"},
        {"recipient": "a@b.c", "from": ""},
    ):
        assert (await served.admin.post("/explain", wrong)).status == 400
    other, _ = await served.other_workspace()
    assert (await other.post("/explain", {"recipient": "support@example.org"})).body["reply"].startswith("550 5.7.1")


async def test_the_audit_tells_who_changed_what(served: ServedInstallation) -> None:
    made = await served.admin.post("/domains", {"domain": "example.org"})
    entry = (await served.admin.get("/audit")).body["audit"][0]
    assert (entry["action"], entry["target"]) == ("domain.create", made.body["id"])
    assert (entry["userId"], entry["address"]) == (served.login.user_id, "127.0.0.1")
    assert entry["keyId"].startswith("key_")
    assert entry["detail"] == {"domain": "example.org"}
    await served.admin.post("/domains", {"domain": "example.org"})  # refused: changes nothing
    assert len((await served.admin.get("/audit")).body["audit"]) == 1
    url = "https://hooks.slack.test/services/T/B/very-secret"
    await served.admin.post("/integrations", {"type": "slack", "name": "S", "webhookUrl": url})
    await served.admin.post("/users", {"email": "a@b.example", "password": "very-secret"})
    assert b"very-secret" not in (await served.admin.get("/audit")).octets
    first = (await served.admin.get("/audit?limit=2")).body
    rest = (await served.admin.get(f"/audit?limit=2&cursor={first['nextCursor']}")).body
    actions = [found["action"] for found in first["audit"] + rest["audit"]]
    assert actions == ["user.create", "integration.create", "domain.create"]
    other, _ = await served.other_workspace()
    assert [found["action"] for found in (await other.get("/audit")).body["audit"]] == ["user.create", "key.create"][
        ::-1
    ]


async def test_blocked_senders(served: ServedInstallation) -> None:
    for typed, kept in (
        ("Bad@Spam.Example", "bad@spam.example"),
        ("spam.example", "@spam.example"),
        ("192.0.2.77/24", None),
        ("192.0.2.0/24", "192.0.2.0/24"),
    ):
        made = await served.admin.post("/blocked-senders", {"sender": typed})
        assert (made.status, made.body.get("sender")) == ((201, kept) if kept else (400, None))
    again = await served.admin.post("/blocked-senders", {"sender": "@SPAM.example"})
    assert (again.status, again.code) == (409, "conflict")
    page = (await served.admin.get("/blocked-senders?limit=2")).body
    rest = (await served.admin.get(f"/blocked-senders?limit=2&cursor={page['nextCursor']}")).body
    senders = [found["sender"] for found in page["blockedSenders"] + rest["blockedSenders"]]
    assert sorted(senders) == ["192.0.2.0/24", "@spam.example", "bad@spam.example"]
    for sender in ("192.0.2.0%2F24", "@spam.example", "bad@spam.example"):
        assert (await served.admin.delete(f"//api/blocked-senders/{sender}")).status == 204, sender
    assert (await served.admin.get("/blocked-senders")).body == {"blockedSenders": []}


async def test_the_document_describes_every_route(sqlite_served: ServedInstallation) -> None:
    answer = await sqlite_served.nobody.get("/openapi.json")
    assert answer.status == 200
    document = answer.body
    validate(document)
    assert document["openapi"] == "3.1.0"
    assert {(method.upper(), path) for path, found in document["paths"].items() for method in found} == {
        (route.method, route.path) for route in ROUTES
    }
    references = set(re.findall(r'"#/components/schemas/([^"]+)"', answer.octets.decode()))
    assert references == set(document["components"]["schemas"])
    ticket = document["components"]["schemas"]["TicketAnswer"]
    assert {"id", "from", "fromName", "subject", "status", "assignedTo", "receivedAt"} <= set(ticket["required"])
    assert ticket["properties"]["receivedAt"]["format"] == "date-time"
    limit = next(p for p in document["paths"]["/domains"]["get"]["parameters"] if p["name"] == "limit")
    assert limit["schema"] == {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}


async def test_the_page_loads_and_runs_nothing(sqlite_served: ServedInstallation) -> None:
    answer = await sqlite_served.nobody.get("/docs")
    assert answer.status == 200
    page = answer.octets.decode()
    assert not re.search(r"<script|<link|src=|@import|url\(|href=\"(?!openapi.json\")", page)
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert all(f"/api{route.path}" in page for route in ROUTES)
