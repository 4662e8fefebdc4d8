"""Aliases over REST."""

from tests.support.installation.http import ServedInstallation


async def test_create_change_and_delete_an_alias(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    domain_id, integration_id = await served.create_domain(), await served.create_integration()
    request = {"domainId": domain_id, "localPart": "Support", "integrationId": integration_id}
    created = await served.admin.post("/aliases", request)
    assert created.status == 201
    assert created.body == {
        "id": created.body["id"],
        "email": "Support@example.org",
        "localPart": "Support",
        "domainId": domain_id,
        "integrationId": integration_id,
        "status": "active",
        "createdAt": "2030-01-01T12:00:00Z",
        "forwardedFrom": None,
        "senderName": "",
        "signature": "",
        "replyToToken": False,
        "acknowledge": None,
        "senderChecks": {"onFail": None, "onSpam": None, "spamScore": None, "reject": []},
    }
    path = f"/aliases/{created.body['id']}"
    other = await served.create_integration()
    changed = await served.admin.patch(path, {"integrationId": other, "status": "disabled"})
    assert changed.status == 200
    assert changed.body == created.body | {"integrationId": other, "status": "disabled"}
    shown = await served.admin.get(path)
    assert (shown.status, shown.body) == (200, changed.body)
    assert (await served.admin.delete(path)).status == 204
    assert (await served.admin.delete(path)).status == 404


async def test_list_by_domain_in_pages(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    domain_id, integration_id, _ = await served.create_alias("one")
    other = await served.create_domain("example.net")
    for name, where in (("two", domain_id), ("three", other)):
        request = {"domainId": where, "localPart": name, "integrationId": integration_id}
        await served.admin.post("/aliases", request)
    every_alias = await served.admin.get("/aliases")
    assert every_alias.status == 200
    assert [alias["localPart"] for alias in every_alias.body["aliases"]] == ["three", "two", "one"]
    assert set(every_alias.body) == {"aliases"}
    first = (await served.admin.get(f"/aliases?domainId={domain_id}&limit=1")).body
    assert [alias["localPart"] for alias in first["aliases"]] == ["two"]
    next_page = (await served.admin.get(f"/aliases?domainId={domain_id}&limit=1&cursor={first['nextCursor']}")).body
    assert [alias["localPart"] for alias in next_page["aliases"]] == ["one"]
    assert "nextCursor" not in next_page
    assert (await served.admin.get("/aliases?domainId=dom_nonsense")).status == 404


async def test_invalid_aliases_are_rejected(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    domain_id, integration_id, alias_id = await served.create_alias()
    valid = {"domainId": domain_id, "localPart": "a", "integrationId": integration_id}
    for own, status, code, field in (
        ({"localPart": "SUPPORT"}, 409, "alias_taken", "localPart"),
        ({"localPart": "a b"}, 400, "invalid_alias", "localPart"),
        ({"localPart": ""}, 400, "invalid_alias", "localPart"),
        ({"integrationId": "int_" + "0" * 26}, 400, "invalid_integration", "integrationId"),
        ({"domainId": "dom_" + "0" * 26}, 404, "not_found", "domainId"),
    ):
        refused = await served.admin.post("/aliases", valid | own)
        assert (refused.status, refused.code, refused.field) == (status, code, field)
    refused = await served.admin.patch(f"/aliases/{alias_id}", {"integrationId": "int_" + "0" * 26})
    assert (refused.status, refused.code) == (400, "invalid_integration")
    other, _ = await served.create_workspace()
    assert (await other.get(f"/aliases/{alias_id}")).status == 404
    assert (await other.patch(f"/aliases/{alias_id}", {"status": "disabled"})).status == 404
    assert (await other.delete(f"/aliases/{alias_id}")).status == 404


async def test_create_a_test_message(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    _, _, alias_id = await served.create_alias()
    async with served.run_smtp():
        sent = await served.admin.post(f"/aliases/{alias_id}/test")
    assert (sent.status, sent.body["server"].startswith("127.0.0.1:")) == (202, True)
    ticket = (await served.admin.get(f"/emails/tickets/{sent.body['ticketId']}")).body
    assert ticket["messages"][0]["id"] == sent.body["messageId"]
    await served.admin.patch(f"/aliases/{alias_id}", {"status": "disabled"})
    refused = await served.admin.post(f"/aliases/{alias_id}/test")
    assert (refused.status, refused.code) == (409, "conflict")


async def test_the_note_which_address_forwards_to_an_alias(served: ServedInstallation) -> None:
    domain_id, integration_id, _ = await served.create_alias()
    request = {"domainId": domain_id, "localPart": "help", "integrationId": integration_id}
    created = await served.admin.post("/aliases", {**request, "forwardedFrom": " Support@ACME.example "})
    assert (created.status, created.body["forwardedFrom"]) == (201, "Support@acme.example")
    path = f"/aliases/{created.body['id']}"
    assert (await served.admin.patch(path, {"status": "disabled"})).body["forwardedFrom"] == "Support@acme.example"
    assert (await served.admin.patch(path, {"forwardedFrom": None})).body["forwardedFrom"] is None
    assert (await served.admin.patch(path, {"forwardedFrom": "a@b.example"})).body["forwardedFrom"] == "a@b.example"
    assert (await served.admin.get("/aliases")).body["aliases"][0]["forwardedFrom"] == "a@b.example"
    for wrong in ("support", "postmaster", "a b@acme.example", "a@[192.0.2.1]", "HELP@Example.org", "a@b\r\nc.example"):
        refused = await served.admin.patch(path, {"forwardedFrom": wrong})
        assert (refused.status, refused.code, refused.field) == (400, "invalid_request", "forwardedFrom"), wrong
    for given in (" A@B.example ", " " * 100_000):
        assert (await served.admin.patch(path, {"forwardedFrom": given})).status == 200
    recorded = [entry["detail"]["forwardedFrom"] for entry in (await served.admin.get("/audit")).body["audit"][:2]]
    assert recorded == ["", "A@b.example"]
