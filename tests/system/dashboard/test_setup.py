"""Setup from the setup link to the first ticket, in a browser and over HTTP."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.support import mails
from tests.support.behaviours import FixedResponse
from tests.support.browser import Window, find_axe_violations
from tests.support.dns import DnsStandIn
from tests.support.installation import HOST, UNPACED, program_settings, split_address
from tests.support.installation.dashboard import anonymous_client, signed_in_client
from tests.support.installation.http import ServedInstallation, serve_api, served_settings
from tests.support.process import Program
from tests.support.slack import SlackStandIn
from tests.support.smtp import send_mail
from tests.support.stores import sqlite_store


@pytest.fixture
async def sqlite_served_with_dns(tmp_path: Path, dns_server: DnsStandIn) -> AsyncIterator[ServedInstallation]:
    async with sqlite_store(tmp_path) as store, serve_api(store, served_settings(dns_server)) as found:
        yield found


@pytest.mark.asyncio(loop_scope="session")
async def test_from_setup_link_to_first_ticket(window: Window, tmp_path: Path) -> None:
    async with DnsStandIn() as dns, SlackStandIn() as slack:
        own = program_settings(f"sqlite:///{tmp_path / 'emailrouter.db'}", tmp_path)
        env = {**own, **UNPACED, "dns.nameservers": [dns.address]}
        async with Program("serve", env=env, cwd=tmp_path) as program:
            facts = await program.ready()
            link = re.search(r"/welcome\?token=\S+", (tmp_path / "first-login").read_text())
            assert link
            page = await window.open(f"http://{facts['api']}{link[0]}")
            await page.get_by_label("Email address").fill("grace@example.org")
            await page.get_by_label("Password").fill("correct horse battery")
            await page.get_by_role("button", name="Create account").click()
            await expect(page.get_by_role("heading", level=1)).to_have_text("Setup")
            await expect(page.locator("#step-server h2")).to_contain_text("Not reachable from outside yet")
            await page.get_by_role("button", name="Continue for now").click()
            await expect(page.locator("#step-server h2")).to_contain_text("Not reachable from outside yet")
            assert await find_axe_violations(page) == []

            await page.get_by_label("Domain").fill("example.org")
            await page.get_by_role("button", name="Continue", exact=True).click()
            await expect(page.get_by_text(f"Add MX 10 {HOST}")).to_be_visible()
            await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
            await page.locator("#step-domain [data-copies=r-mx-1]").click()
            assert await page.evaluate("navigator.clipboard.readText()") == HOST

            slack.remove_webhook("gone")
            window.expect_error("409")
            window.expect_error("400")
            await page.get_by_label("Webhook URL").fill(slack.url("gone"))
            await page.get_by_role("button", name="Save and send test message").click()
            await expect(page.get_by_text("127.0.0.1 does not belong to Slack").first).to_be_visible()
            assert await find_axe_violations(page) == []
            await page.get_by_label("Webhook URL").fill(slack.url("gone"))
            await page.get_by_label("Post all tickets to 127.0.0.1").check()
            await page.get_by_role("button", name="Save and send test message").click()
            await expect(page.get_by_role("alert")).to_contain_text("was not delivered: ")
            assert await find_axe_violations(page) == []
            await page.get_by_label("Webhook URL").fill(slack.url())
            await page.get_by_role("button", name="Save and send test message").click()
            await expect(page.get_by_text("Test message delivered")).to_be_visible()
            await page.get_by_role("button", name="Add alias").click()
            await expect(page.get_by_text("Available once example.org is verified.")).to_be_visible()

            dns.set("example.org", "MX", f"10 {HOST}.")
            await page.get_by_role("button", name="Check records").click()
            await page.locator("#step-domain summary").click()
            await expect(page.get_by_text("example.org is verified, but mail to it cannot arrive yet")).to_be_visible()
            await expect(page.get_by_role("button", name="Send test email")).to_be_visible()
            mail = mails.plain(subject="Stuck door")
            reply = await send_mail(
                *split_address(facts["smtp"][0]), "ann@customer.test", ["support@example.org"], mail
            )
            assert reply.code == 250
            await expect(page.locator("#latest-message")).to_contain_text("Stuck door")
            await expect(page.locator("#latest-delivery")).to_contain_text("Posted to Slack Delivered")
            assert any("Stuck door" in post.text for post in slack.accepted_posts())

            await page.get_by_role("button", name="Send test email").click()
            await expect(page.locator("#latest-message")).to_contain_text("Test of support@example.org")
            await expect(page.locator("#latest-delivery")).to_contain_text("Delivered")
            await expect(page.get_by_text("Not complete yet")).to_be_visible()
            await expect(page.get_by_text("Setup complete")).to_have_count(0)
            await page.get_by_role("link", name="Ticket #2").click()
            await expect(page.get_by_role("heading", level=1)).to_contain_text("Test of support@example.org #2")
            await page.goto(f"http://{facts['api']}/manage/keys?add=yes")
            await page.get_by_label("Name").fill("import")
            await page.get_by_role("button", name="Create key").click()
            await expect(page.locator("#key")).to_have_text(re.compile("^er_"))
            assert await find_axe_violations(page) == []
            await page.goto(f"http://{facts['api']}/")
            await expect(page.get_by_role("heading", level=1)).not_to_have_text("Setup")
            await page.close()  # before the server stops and ends the event stream of the page


async def test_start_page_redirects_until_setup_is_complete(sqlite_served: ServedInstallation) -> None:
    admin, agent = await signed_in_client(sqlite_served, "admin"), await signed_in_client(sqlite_served, "agent")
    assert (await admin.get("/")).location == "/set-up"
    assert (await agent.get("/")).location != "/set-up"
    assert (await agent.get("/set-up")).status == 403
    _, _, alias = await sqlite_served.create_alias()
    assert (await admin.get("/")).location != "/set-up"
    await sqlite_served.services.aliases.delete(sqlite_served.actor, alias)
    assert (await admin.get("/")).location == "/set-up"


async def test_setup_steps_without_javascript(
    served: ServedInstallation, slack: SlackStandIn, dns_server: DnsStandIn
) -> None:
    admin = await signed_in_client(served, "admin")
    wrong = await admin.post("/set-up/domain", {"domain": "no domain"})
    assert (wrong.status, 'id="e-domain"' in wrong.text, 'value="no domain"' in wrong.text) == (400, True, True)
    page = await admin.post_and_follow("/set-up/domain", {"domain": "https://www.Example.org/contact"})
    (check,) = re.findall(r'action="(/set-up/domains/[^"]+)"', page.text)
    assert "MX found: none Fix:" in page.visible_text, "the records are checked at once"
    assert f"example.org. 3600 IN MX 10 {HOST}." in page.text
    dns_server.set("example.org", "MX", "5 mx.elsewhere.test.")
    page = await admin.post_and_follow(check, {})
    assert 'class="toast pending"' in page.text, "a pending step does not look completed"
    assert "MX found: 5 mx.elsewhere.test Fix:" in page.visible_text
    assert "moves all mail of example.org" in page.visible_text
    assert "Use help.example.org instead" in page.visible_text

    secret = "QxYz0123456789"
    slack_form = {"name": "Help desk", "webhookUrl": slack.url(secret), "confirmedHost": "127.0.0.1"}
    wrong = await admin.post("/set-up/integration", slack_form | {"name": ""})
    assert (wrong.status, 'id="e-name"' in wrong.text) == (400, True)
    assert secret not in wrong.text, "not even the value just entered"
    wrong = await admin.post("/set-up/integration", slack_form | {"webhookUrl": "nonsense"})
    assert (wrong.status, 'id="e-webhookUrl"' in wrong.text) == (400, True)
    unconfirmed = await admin.post("/set-up/integration", slack_form | {"confirmedHost": "127.0.0.2"})
    assert (unconfirmed.status, "127.0.0.1 does not belong to Slack" in unconfirmed.visible_text) == (400, True)
    assert 'name="confirmedHost" value="127.0.0.1"' in unconfirmed.text
    assert len(slack.posts) == 0, "nothing is sent to a host that is not confirmed"
    page = await admin.post_and_follow("/set-up/integration", slack_form)
    assert "Test message delivered" in page.visible_text
    assert secret not in page.text
    assert 'id="step-integration" class="done"' in page.text
    (test,) = re.findall(r'action="(/set-up/integrations/[^"]+/test)"', page.text)
    empty = await admin.post(test.replace("/test", "/settings"), {"webhookUrl": "", "confirmedHost": "evil.test"})
    assert (empty.status, "Enter the URL again" in empty.visible_text) == (400, True), "the old URL is not meant"
    reopened = await admin.get(test.replace("/test", "/settings"))
    assert (reopened.status, reopened.headers["Location"]) == (303, "/set-up"), "the address after a refused form"
    slack.script(secret, FixedResponse(404, "no_service"))
    assert (await admin.post(test)).status == 409
    page = await admin.get("/set-up")
    assert 'id="step-integration" class="failed"' in page.text
    assert "3 ! Connect a channel Failed" in page.visible_text, "the number stays"
    assert "The webhook was removed or disabled in Slack. Add a webhook in Slack" in page.visible_text, "in words"
    assert "Slack returned 404 no_service: " in page.visible_text, "the response, for a search"
    assert re.findall(r'aria-current="step"><span class="n" aria-hidden="true">(\d)', page.text) == ["2"]
    assert re.findall(r'<button class="primary">(S[^<]+)', page.text) == ["Save and send test message"]
    page = await admin.post_and_follow(test, {})
    assert 'id="step-integration" class="done"' in page.text
    form = dict(re.findall(r'type="hidden" name="(domainId|integrationId)" value="([^"]+)"', page.text))
    wrong = await admin.post("/set-up/alias", form | {"localPart": "a b"})
    assert (wrong.status, 'id="e-localPart"' in wrong.text) == (400, True)
    page = await admin.post_and_follow("/set-up/alias", form | {"localPart": "help"})
    assert "Available once example.org is verified." in page.visible_text

    (alias,) = (await served.services.aliases.list(served.actor)).items
    test = f"/set-up/aliases/{alias.id}/test"
    early = await admin.post(test)
    assert (early.status, "its domain is not verified yet" in early.visible_text) == (409, True)
    dns_server.set("example.org", "MX", f"10 {HOST}.")
    assert "Domain verified" in (await admin.post_and_follow(check, {})).visible_text
    down = await admin.post(test)
    assert (down.status, "cannot be reached" in down.visible_text) == (409, True), "no SMTP server listens"
    async with served.run_smtp():
        page = await admin.post_and_follow(test, {})
    assert "Posting to Help desk Queued" in page.visible_text
    assert 'data-poll="yes"' in page.text
    assert "Test of help@example.org" in (await admin.get(f"/manage/aliases/{alias.id}")).visible_text


async def test_a_domain_of_a_provider_is_not_moved_without_a_choice(
    sqlite_served_with_dns: ServedInstallation, dns_server: DnsStandIn
) -> None:
    served = sqlite_served_with_dns
    admin = await signed_in_client(served, "admin")
    dns_server.set("acme.example", "MX", "1 smtp.google.com.")
    page = await admin.post_and_follow("/set-up/domain", {"domain": "https://acme.example/"})
    assert (await served.services.domains.list(served.actor)).items == (), "nothing is added without a choice"
    assert "Google Workspace receives the mail of acme.example." in page.visible_text
    assert "moves all of its mail" in page.visible_text
    assert 'value="help.acme.example"' in page.text
    assert "Forwarding and POP/IMAP" in page.visible_text
    assert " IN MX " not in page.text, "no record is proposed before the choice"
    assert 'name="confirmed" value="acme.example"' in page.text

    dns_server.fail("broken.example", "SERVFAIL")
    page = await admin.post_and_follow("/set-up/domain", {"domain": "broken.example"})
    assert "It is unknown who receives the mail of broken.example now." in page.visible_text

    page = await admin.post_and_follow("/set-up/domain", {"domain": "help.acme.example"})
    assert "help.acme.example. 3600 IN MX" in page.text
    (domain,) = (await served.services.domains.list(served.actor)).items
    removal = f"/manage/domains/{domain.id}/delete?from=setup"
    assert removal in page.text
    page = await admin.get(removal)
    assert 'href="/set-up">Cancel' in page.text
    assert (await admin.post(removal.partition("?")[0], {"from": "setup"})).location == "/set-up?note=domain-removed"
    await admin.post("/set-up/domain", {"domain": "help.acme.example"})
    (domain,) = (await served.services.domains.list(served.actor)).items
    integration = await served.create_integration()
    page = await admin.get("/set-up")
    assert f"/manage/integrations/{integration}/delete?from=setup" in page.text
    assert 'maxlength="254" value="support@acme.example"' in page.text
    form = {"domainId": domain.id, "integrationId": integration, "localPart": "support"}
    wrong = await admin.post("/set-up/alias", form | {"forwardedFrom": "nobody"})
    assert (wrong.status, 'id="e-forwardedFrom"' in wrong.text) == (400, True)
    page = await admin.post_and_follow("/set-up/alias", form | {"forwardedFrom": "support@acme.example"})
    assert "Forward support@acme.example to support@help.acme.example" in page.visible_text
    assert "It becomes a ticket" in page.visible_text
    assert '<details class="finished" open>' in page.text, "the forwarding is still to be done"
    assert "No test message was sent with these settings yet." in page.visible_text
    assert 'id="step-integration" class="next"' in page.text


async def test_an_open_page_checks_the_records_by_itself(
    sqlite_served_with_dns: ServedInstallation, dns_server: DnsStandIn
) -> None:
    served, refresh = sqlite_served_with_dns, {"X-Page-Refresh": "1"}
    admin = await signed_in_client(served, "admin")
    await admin.post_and_follow("/set-up/domain", {"domain": "example.org"})
    dns_server.set("example.org", "MX", f"10 {HOST}.")
    first = dns_server.query_count("example.org", "MX")
    served.clock.advance(seconds=14)
    for _ in range(3):
        assert 'id="step-domain" class="pending"' in (await admin.get("/set-up", headers=refresh)).text
    served.clock.advance(seconds=2)
    assert 'id="step-domain" class="pending"' in (await admin.get("/set-up")).text, "only an open page checks"
    assert dns_server.query_count("example.org", "MX") == first
    assert 'id="step-domain" class="done"' in (await admin.get("/set-up", headers=refresh)).text


async def test_invitation_link(sqlite_served: ServedInstallation) -> None:
    admin = await signed_in_client(sqlite_served, "admin")
    assert 'id="step-people"' in (await admin.get("/set-up")).text
    wrong = await admin.post("/set-up/invite", {"email": "nobody", "role": "agent"})
    assert (wrong.status, 'id="e-email"' in wrong.text) == (400, True)
    page = await admin.post("/set-up/invite", {"email": "grace@example.org", "role": "agent"})
    link = re.search(r"/set-password\?token=[\w-]+", page.text)
    assert link
    assert (page.status, "expires" in page.visible_text, 'href="/set-up#step-people"' in page.text) == (200, True, True)
    assert "grace@example.org" in (await anonymous_client(sqlite_served).get(link[0])).visible_text
    page = await admin.get("/set-up")
    assert 'id="step-people" class="done"' in page.text
    assert re.findall(r'<details class="finished"( open)?>', page.text) == ["", ""], "one line for each finished step"
    page = await admin.post("/set-up/invite", {"email": "nobody", "role": "agent"})
    assert re.findall(r'<details class="finished"( open)?>', page.text) == ["", " open"], "with the refused form"
