"""Aliases by REST: one for each address, changed at once for the mail that comes next."""

import pytest

from router.mail.address import parse_mailbox
from router.routing.route import Refusal, Target
from tests.support.installation.http import ServedInstallation


async def test_an_alias_is_made_changed_and_removed_and_mail_hears_of_it(served: ServedInstallation) -> None:
    domain_id, integration_id = await served.domain(), await served.integration()
    made = await served.admin.post(
        "/aliases", {"domainId": domain_id, "localPart": "Support", "integrationId": integration_id}
    )
    assert made.status == 201
    assert made.body == {
        "id": made.body["id"],
        "email": "Support@example.org",
        "localPart": "Support",
        "domainId": domain_id,
        "integrationId": integration_id,
        "status": "active",
        "createdAt": "2030-01-01T12:00:00Z",
    }
    path = f"/aliases/{made.body['id']}"
    mailbox = parse_mailbox("support@example.org")
    assert isinstance(await served.core.directory.resolve(mailbox), Target)
    changed = await served.admin.patch(path, {"status": "disabled"})
    assert changed.body["status"] == "disabled"
    assert await served.core.directory.resolve(mailbox) == Refusal("disabled")
    other = await served.integration()
    moved = await served.admin.patch(path, {"integrationId": other, "status": "active"})
    assert (moved.body["integrationId"], moved.body["status"]) == (other, "active")
    assert (await served.admin.get(path)).body == moved.body
    assert (await served.admin.delete(path)).status == 204
    assert await served.core.directory.resolve(mailbox) == Refusal("unknown")
    assert (await served.admin.delete(path)).status == 404


async def test_lists_by_domain_in_pages(served: ServedInstallation) -> None:
    domain_id, integration_id, _ = await served.alias("one")
    other = await served.domain("example.net")
    for name, where in (("two", domain_id), ("three", other), ("four", domain_id), ("*", domain_id)):
        asked = {"domainId": where, "localPart": name, "integrationId": integration_id}
        assert (await served.admin.post("/aliases", asked)).status == 201
    all_of_them = (await served.admin.get("/aliases")).body
    assert [alias["localPart"] for alias in all_of_them["aliases"]] == ["*", "four", "three", "two", "one"]
    assert "nextCursor" not in all_of_them
    first = (await served.admin.get(f"/aliases?domainId={domain_id}&limit=2")).body
    assert [alias["localPart"] for alias in first["aliases"]] == ["*", "four"]
    rest = (await served.admin.get(f"/aliases?domainId={domain_id}&limit=2&cursor={first['nextCursor']}")).body
    assert [alias["localPart"] for alias in rest["aliases"]] == ["two", "one"]
    assert "nextCursor" not in rest
    assert (await served.admin.get("/aliases?domainId=dom_nonsense")).status == 404


async def test_the_same_address_once(served: ServedInstallation) -> None:
    domain_id, integration_id, _ = await served.alias("support")
    for same in ("support", "SUPPORT", '"support"', " support "):
        asked = {"domainId": domain_id, "localPart": same, "integrationId": integration_id}
        refused = await served.admin.post("/aliases", asked)
        assert (refused.status, refused.code, refused.field) == (409, "alias_taken", "localPart")


async def test_what_it_points_to_must_be_there(served: ServedInstallation) -> None:
    domain_id, integration_id, alias_id = await served.alias()
    other, actor = await served.other_workspace()
    foreign = await served.integration(actor=actor)
    foreign_domain = await served.domain("example.net", actor=actor)
    asked = {"domainId": domain_id, "localPart": "a", "integrationId": foreign}
    refused = await served.admin.post("/aliases", asked)
    assert (refused.status, refused.code, refused.field) == (400, "invalid_integration", "integrationId")
    assert (await served.admin.patch(f"/aliases/{alias_id}", {"integrationId": foreign})).status == 400
    for missing in (foreign_domain, "dom_" + "0" * 26, "nonsense"):
        refused = await served.admin.post("/aliases", asked | {"domainId": missing, "integrationId": integration_id})
        assert (refused.status, refused.code, refused.field) == (404, "not_found", "domainId")
    assert (await other.get(f"/aliases/{alias_id}")).status == 404
    assert (await other.patch(f"/aliases/{alias_id}", {"status": "disabled"})).status == 404
    assert (await other.delete(f"/aliases/{alias_id}")).status == 404


@pytest.mark.parametrize(
    "local_part",
    ["", " ", "a b", "a@b", ".a", "a.", "a..b", "a" * 65, "a\u202eb", "a\u200bb", "a\nb", "(a)", '"a b"', "a\u00a0b"],
)
async def test_what_is_no_local_part(sqlite_served: ServedInstallation, local_part: str) -> None:
    domain_id, integration_id = await sqlite_served.domain(), await sqlite_served.integration()
    asked = {"domainId": domain_id, "localPart": local_part, "integrationId": integration_id}
    refused = await sqlite_served.admin.post("/aliases", asked)
    assert (refused.status, refused.code, refused.field) == (400, "invalid_alias", "localPart")


async def test_a_test_mail_goes_the_whole_way(served: ServedInstallation) -> None:
    domain_id, integration_id, alias_id = await served.alias()
    sent = await served.admin.post(f"/aliases/{alias_id}/test")
    assert sent.status == 202
    ticket = (await served.admin.get(f"/emails/tickets/{sent.body['ticketId']}")).body
    assert ticket["subject"] == "Test of support@example.org"
    assert ticket["messages"][0]["id"] == sent.body["messageId"]
    assert ticket["deliveries"][0]["integrationId"] == integration_id
    assert served.woken.integration_ids[-1] == integration_id
    asked = {"domainId": domain_id, "localPart": "*", "integrationId": integration_id}
    catch_all = (await served.admin.post("/aliases", asked)).body["id"]
    assert (await served.admin.post(f"/aliases/{catch_all}/test")).status == 202
    await served.admin.patch(f"/aliases/{alias_id}", {"status": "disabled"})
    refused = await served.admin.post(f"/aliases/{alias_id}/test")
    assert (refused.status, refused.code) == (409, "conflict")
