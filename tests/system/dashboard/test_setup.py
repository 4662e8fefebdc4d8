"""Setup from the setup link to the first ticket, in a browser and over HTTP."""

import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.support import mails
from tests.support.behaviours import FixedResponse
from tests.support.browser import Window, find_axe_violations
from tests.support.dns import DnsStandIn
from tests.support.installation import HOST, UNPACED, program_settings, split_address
from tests.support.installation.dashboard import signed_in_client
from tests.support.installation.http import ServedInstallation
from tests.support.process import Program
from tests.support.slack import SlackStandIn
from tests.support.smtp import send_mail


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

            await page.get_by_label("Domain").fill("example.org")
            await page.get_by_role("button", name="Add domain").click()
            await page.get_by_role("button", name="Check records").click()
            await expect(page.get_by_text(f"Add MX 10 {HOST}")).to_be_visible()
            await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
            await page.locator("#step-domain [data-copies=r-mx-1]").click()
            assert await page.evaluate("navigator.clipboard.readText()") == HOST

            slack.remove_webhook("gone")
            window.expect_error("409")
            await page.get_by_label("Webhook URL").fill(slack.url("gone"))
            await page.get_by_role("button", name="Save and send test message").click()
            await expect(page.get_by_role("alert")).to_contain_text("was not delivered: ")
            assert await find_axe_violations(page) == []
            await page.get_by_label("Webhook URL").fill(slack.url())
            await page.get_by_role("button", name="Save and send test message").click()
            await expect(page.get_by_text("Test message delivered")).to_be_visible()
            await page.get_by_role("button", name="Add address").click()
            await expect(page.get_by_text("Available once example.org is verified.")).to_be_visible()

            dns.set("example.org", "MX", f"10 {HOST}.")
            await page.get_by_role("button", name="Check records").click()
            await expect(page.get_by_text("example.org is verified and receives mail")).to_be_visible()
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
            await page.get_by_role("link", name="Open the ticket").click()
            await expect(page.get_by_role("heading", level=1)).to_contain_text("Test of support@example.org #2")
            await page.goto(f"http://{facts['api']}/manage/keys")
            await page.get_by_label("Name").fill("import")
            await page.get_by_role("button", name="Create key").click()
            await expect(page.locator("#key")).to_have_text(re.compile("^er_"))
            assert await find_axe_violations(page) == []
            await page.goto(f"http://{facts['api']}/")
            await expect(page.get_by_role("heading", level=1)).not_to_have_text("Setup")


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
    page = await admin.post_and_follow("/set-up/domain", {"domain": "Example.org"})
    assert "MX records decide where all mail of this name goes." in page.visible_text
    (check,) = re.findall(r'action="(/set-up/domains/[^"]+)"', page.text)
    dns_server.set("example.org", "MX", "5 mx.elsewhere.test.")
    page = await admin.post_and_follow(check, {})
    assert "Fix:" in page.visible_text
    assert 'class="note pending"' in page.text, "a pending step does not look completed"
    assert "Another server (mx.elsewhere.test) receives the mail of example.org." in page.visible_text

    secret = "QxYz0123456789"
    wrong = await admin.post("/set-up/integration", {"name": "", "webhookUrl": slack.url(secret)})
    assert (wrong.status, 'id="e-name"' in wrong.text) == (400, True)
    assert secret not in wrong.text, "not even the value just entered"
    wrong = await admin.post("/set-up/integration", {"name": "Slack", "webhookUrl": "nonsense"})
    assert (wrong.status, 'id="e-webhookUrl"' in wrong.text) == (400, True)
    page = await admin.post_and_follow("/set-up/integration", {"name": "Help desk", "webhookUrl": slack.url(secret)})
    assert "Test message delivered" in page.visible_text
    assert secret not in page.text
    assert 'id="step-integration" class="done"' in page.text
    (test,) = re.findall(r'action="(/set-up/integrations/[^"]+/test)"', page.text)
    slack.script(secret, FixedResponse(404, "no_service"))
    assert (await admin.post(test)).status == 409
    page = await admin.get("/set-up")
    assert ('id="step-integration" class="failed"' in page.text, "no_service" in page.visible_text) == (True, True)
    page = await admin.post_and_follow(test, {})
    assert 'id="step-integration" class="done"' in page.text
    form = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]+)"', page.text))
    wrong = await admin.post("/set-up/alias", form | {"localPart": "a b"})
    assert (wrong.status, 'id="e-localPart"' in wrong.text) == (400, True)
    page = await admin.post_and_follow("/set-up/alias", form | {"localPart": "help"})
    assert "Available once example.org is verified." in page.visible_text

    (alias,) = (await served.services.aliases.list(served.actor)).items
    early = await admin.post(f"/set-up/aliases/{alias.id}/test")
    assert (early.status, "its domain is not verified yet" in early.visible_text) == (409, True)
    dns_server.set("example.org", "MX", f"10 {HOST}.")
    assert "Domain verified" in (await admin.post_and_follow(check, {})).visible_text
    async with served.run_smtp():
        page = await admin.post_and_follow(f"/set-up/aliases/{alias.id}/test", {})
    assert "Posting to Help desk Queued" in page.visible_text
    assert 'data-poll="yes"' in page.text
    assert "Test of help@example.org" in (await admin.get(f"/manage/aliases/{alias.id}")).visible_text
