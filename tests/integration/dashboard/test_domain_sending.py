"""The section "Sending" of the page of a domain."""

from tests.support.dns import DnsStandIn
from tests.support.installation.dashboard import signed_in_client
from tests.support.installation.http import ServedInstallation, serve_api, served_settings
from tests.support.stores import Store


async def test_sending_from_a_domain(store: Store, dns_server: DnsStandIn) -> None:
    async with serve_api(store, served_settings(dns_server) | {"outgoing.smarthost": "off"}) as served:
        await _walk(served)


async def _walk(served: ServedInstallation) -> None:
    admin, viewer = await signed_in_client(served, "admin"), await signed_in_client(served, "viewer")
    domain_id = (await served.services.domains.create(served.actor, "example.net")).domain.id
    url = f"/manage/domains/{domain_id}"
    page = await admin.get(url)
    assert "Replies to tickets cannot be sent from this domain yet" in page.visible_text
    assert "No smarthost is set, so no reply can be sent" in page.visible_text
    page = await admin.post_and_follow(f"{url}/sending", {"enabled": "true"})
    assert "Sending turned on. Add the DKIM record to the DNS." in page.visible_text
    view = await served.services.domains.get(served.actor, domain_id)
    for record in view.sending_records:
        assert record.name in page.text
        assert all(value in page.text for value in record.expected)
    page = await admin.post(f"{url}/smarthost", {"smarthost.url": "https://x", "smarthost.password": "secret"})
    assert (page.status, 'id="e-smarthost.url"' in page.text, "secret" in page.text) == (400, True, False)
    form = {"smarthost.url": "smtps://mailer@127.0.0.1:9", "smarthost.password": "secret"}
    page = await admin.post_and_follow(f"{url}/smarthost", form)
    assert "smtps://ma…@127.0.0.1:9" in page.visible_text
    page = await admin.post(f"{url}/sending/test", {})
    assert (page.status, "The smarthost cannot be used (connect)" in page.visible_text) == (503, True)
    page = await admin.post_and_follow(f"{url}/sending/rotate", {})
    assert "Add the record of the next key" in page.visible_text
    page = await viewer.get(url)
    assert ("Pending" in page.visible_text, "Turn off sending" in page.text) == (True, False)
    page = await admin.post_and_follow(f"{url}/smarthost", {"remove": "true"})
    assert "Smarthost removed." in page.visible_text
    page = await admin.post_and_follow(f"{url}/sending", {"enabled": "false"})
    assert "Sending turned off." in page.visible_text
    audit = (await admin.get("/activity/audit")).visible_text
    for sentence in ("turned on sending from", "made the DKIM key", "set the smarthost", "tested the smarthost"):
        assert sentence in audit
