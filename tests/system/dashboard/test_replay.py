"""Retrying a failed delivery from its page, with the running program and a real message."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from router.admin.access.users import UserService
from router.clock import SystemClock
from router.model import Actor
from tests.support import mails
from tests.support.behaviours import FixedResponse
from tests.support.browser import Window
from tests.support.installation import DOMAIN, migrated_installation, split_address
from tests.support.installation.http import PASSWORD
from tests.support.process import Program
from tests.support.slack import SlackStandIn
from tests.support.smtp import send_mail
from tests.support.waiting import poll_until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_failed_delivery_is_retried(window: Window, tmp_path: Path) -> None:
    async with SlackStandIn() as slack, migrated_installation(tmp_path, slack) as made:
        slack.default("general", FixedResponse(400, "out_of_order"))
        users = UserService(made.database, SystemClock(), base_url="http://dashboard.test")
        await users.create(Actor(made.workspace_id, "admin"), email="ada@people.test", role="admin", password=PASSWORD)
        async with Program("serve", env=made.settings, cwd=tmp_path) as program:
            facts = await program.ready()
            mail = mails.plain(subject="Stuck door", to=f"support@{DOMAIN}")
            host, port = split_address(facts["smtp"][0])
            assert (await send_mail(host, port, "ann@customer.test", [f"support@{DOMAIN}"], mail)).code == 250
            await program.wait_event("delivery.failed")
            # The outcome is written after the event is logged.
            await poll_until(lambda: made.count_rows("deliveries", "state = 'dead'"), "the outcome")
            page = await window.open(f"http://{facts['api']}/activity")
            await page.get_by_label("Email address").fill("ada@people.test")
            await page.get_by_label("Password").fill(PASSWORD)
            await page.get_by_role("button", name="Sign in").click()
            await page.get_by_role("link", name="Stuck door").click()
            await expect(page.get_by_text("out_of_order").first).to_be_visible()
            slack.default("general", None)
            await page.get_by_role("button", name="Retry").click()
            await expect(page.get_by_text("Queued for redelivery.")).to_be_visible()
            (post,) = await slack.wait_for(1, "general", accepted=True)
            assert b"Stuck door" in post.raw
            await program.wait_event("delivery.sent")
            # The page follows by itself.
            await expect(page.get_by_role("heading", level=1)).to_have_text("Posted #1 Stuck door to general")
            await expect(page.locator("#attempts li")).to_have_count(2)
            await expect(page.get_by_text("2nd attempt: posted")).to_be_visible()
            await page.get_by_role("link", name="Trace message").click()
            await expect(page.get_by_text("Posted to general")).to_be_visible()
            window.expect_error("ERR_")  # the program stops while the page listens for changes
