"""Domains over REST."""

from tests.support.dns import DnsStandIn
from tests.support.installation import HOST
from tests.support.installation.http import ServedInstallation, serve_api, served_settings
from tests.support.stores import Store


async def test_create_verify_and_delete_a_domain(served: ServedInstallation, dns_server: DnsStandIn) -> None:
    created = await served.admin.post("/domains", {"domain": "Example.ORG."})
    assert created.status == 201
    assert created.body["domain"] == "example.org"
    assert created.body["status"] == "pending_verification"
    assert created.body["mxRecords"] == [{"priority": 10, "value": HOST}]
    assert created.body["txtRecord"]["name"] == "_emailrouter.example.org"
    assert created.body["txtRecord"]["value"].startswith("emailrouter-verification=")

    assert created.body["zoneFile"].splitlines() == [
        f"example.org. 3600 IN MX 10 {HOST}.",
        f'_emailrouter.example.org. 3600 IN TXT "{created.body["txtRecord"]["value"]}"',
    ]

    path = f"/domains/{created.body['id']}"
    before = await served.admin.get(path)
    assert before.body["verified"] is False
    assert {record["status"] for record in before.body["records"]} == {"missing"}
    assert before.body["records"][0]["checkedAt"] is None

    wrong = await served.admin.post(f"{path}/verify")
    assert wrong.status == 200
    assert wrong.body["status"] == "pending_verification"
    assert "MX" in wrong.body["records"][0]["fix"]

    dns_server.set("example.org", "MX", f"10 {HOST}.")
    assert before.body["zoneFile"] == created.body["zoneFile"]
    right = await served.admin.post(f"{path}/verify")
    assert (right.body["status"], right.body["verified"]) == ("active", True)
    assert right.body["records"][0]["found"] == [f"10 {HOST}"]
    listed = await served.admin.get("/domains")
    assert set(listed.body) == {"domains"}
    assert listed.body["domains"][0] == {
        "id": created.body["id"],
        "domain": "example.org",
        "status": "active",
        "verified": True,
        "sending": "off",
        "createdAt": "2030-01-01T12:00:00Z",
    }

    dns_server.remove("example.org")
    failed = await served.admin.post(f"{path}/verify")
    assert failed.body["status"] == "active", "a failed check does not revoke the verification"
    assert (await served.admin.delete(path)).status == 204
    assert (await served.admin.get(path)).status == 404


async def test_domain_of_another_workspace_is_taken(served: ServedInstallation, dns_server: DnsStandIn) -> None:
    other, _ = await served.create_workspace()
    first = (await served.admin.post("/domains", {"domain": "example.org"})).body
    second = (await other.post("/domains", {"domain": "example.org"})).body
    dns_server.set("example.org", "MX", f"10 {HOST}.")
    dns_server.set("_emailrouter.example.org", "TXT", first["txtRecord"]["value"], second["txtRecord"]["value"])
    assert (await served.admin.post(f"/domains/{first['id']}/verify")).body["verified"] is True
    for refused in (
        await other.post(f"/domains/{second['id']}/verify"),
        await other.post("/domains", {"domain": "example.org"}),
    ):
        assert (refused.status, refused.code, refused.field) == (409, "domain_taken", "domain")
    assert (await other.get(f"/domains/{first['id']}")).status == 404


async def test_domain_with_aliases_is_deleted_with_force(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    domain_id, _, alias_id = await served.create_alias()
    refused = await served.admin.delete(f"/domains/{domain_id}")
    assert (refused.status, refused.code) == (409, "in_use")
    assert (await served.admin.get(f"/domains/{domain_id}")).body["aliasCount"] == 1
    assert (await served.admin.delete(f"/domains/{domain_id}?force=true")).status == 204
    assert (await served.admin.get(f"/aliases/{alias_id}")).status == 404


async def test_invalid_domain_names_its_field(sqlite_served: ServedInstallation) -> None:
    for body in ({"domain": "192.0.2.1"}, {"domain": 5}, {}):
        refused = await sqlite_served.admin.post("/domains", body)
        assert (refused.status, refused.code, refused.field) == (400, "invalid_domain", "domain")


async def test_a_domain_is_previewed_before_it_is_added(served: ServedInstallation, dns_server: DnsStandIn) -> None:
    dns_server.set("acme.example", "MX", "1 aspmx.l.google.com.", "5 alt1.aspmx.l.google.com.")
    found = await served.admin.get("/domains/preview?domain=https://www.acme.example/")
    assert (found.status, found.body["domain"], found.body["domainId"]) == (200, "acme.example", "")
    assert found.body["mx"] == ["1 aspmx.l.google.com", "5 alt1.aspmx.l.google.com"]
    assert (found.body["provider"]["id"], found.body["provider"]["sendsConfirmation"]) == ("google", True)
    assert (found.body["movesAllMail"], found.body["suggestedSubdomain"]) == (True, "help.acme.example")
    assert "moves all mail of acme.example" in found.body["warning"]
    assert (await served.admin.get("/domains")).body["domains"] == [], "nothing is stored"

    domain_id = (await served.admin.post("/domains", {"domain": "support@help.acme.example"})).body["id"]
    dns_server.fail("help.acme.example", "SERVFAIL")
    failed = (await served.admin.get("/domains/preview?domain=help.acme.example")).body
    assert (failed["domainId"], failed["provider"], failed["warning"]) == (domain_id, None, "")
    assert "SERVFAIL" in failed["failure"]
    refused = await served.admin.get("/domains/preview?domain=localhost")
    assert (refused.status, refused.code, refused.field) == (400, "invalid_domain", "domain")


async def test_sending_and_smarthost(store: Store, dns_server: DnsStandIn) -> None:
    async with serve_api(store, served_settings(dns_server) | {"outgoing.smarthost": "off"}) as served:
        await _set_up_sending(served)


async def _set_up_sending(served: ServedInstallation) -> None:
    path = f"/domains/{(await served.admin.post('/domains', {'domain': 'example.org'})).body['id']}"
    assert (await served.admin.post(f"{path}/sending/rotate")).code == "sending_not_set_up"
    untested = await served.admin.post(f"{path}/sending/test")
    assert (untested.status, untested.code, "Set a smarthost" in untested.body["error"]["fix"]) == (
        409, "sending_not_set_up", True,
    )  # fmt: skip
    on = (await served.admin.post(f"{path}/sending", {"enabled": True})).body
    assert [record["purpose"] for record in on["records"]] == ["mx", "verification", "dkim", "spf", "dmarc"]
    dkim = on["records"][2]
    assert ("".join(dkim["strings"]), len(dkim["strings"][0])) == (dkim["expected"][0], 255)
    assert (on["sending"], on["signingKeys"][0]["state"], on["smarthost"]) == ("pending", "waiting", None)
    smarthost = {"url": "smtps://mailer@127.0.0.1:9", "password": "secret"}
    changed = await served.admin.request("PATCH", path, {"smarthost": smarthost})
    assert changed.body["smarthost"] == {"url": "smtps://ma\u2026@127.0.0.1:9"}
    assert b"secret" not in changed.content
    tested = await served.admin.post(f"{path}/sending/test")
    assert (tested.body["ok"], tested.body["stage"]) == (False, "connect")
    kept = await served.admin.request("PATCH", path, {"mxManagedUpstream": True})
    assert (kept.body["smarthost"], kept.body["mxManagedUpstream"]) == (changed.body["smarthost"], True)
    wrong = await served.admin.request("PATCH", path, {"smarthost": {"url": "smtps://a:secret@mx.test"}})
    assert (wrong.status, wrong.body["error"]["field"], b"secret" in wrong.content) == (400, "smarthost.url", False)
    assert (await served.admin.request("PATCH", path, {"smarthost": None})).body["smarthost"] is None
    off = (await served.admin.post(f"{path}/sending", {"enabled": False})).body
    assert (off["sending"], len(off["records"]), len(off["signingKeys"])) == ("off", 2, 1)
