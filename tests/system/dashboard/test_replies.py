"""A person answers a mail in the browser, undoes it, answers again, and sees the customer's answer in its ticket."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.integration.dashboard.page_checks import STATE_PICTURES, check_page
from tests.support import mails
from tests.support.browser import Window, open_window
from tests.support.installation.http import ServedInstallation, serve_api, served_settings
from tests.support.installation.replies import allow_sending
from tests.support.replies import ManualSubmissions
from tests.support.smarthost import ScriptedSmarthost
from tests.support.stores import sqlite_store
from tests.system.dashboard.test_browser import sign_in

pytestmark = pytest.mark.asyncio(loop_scope="session")
UNKNOWN = "550 5.1.1 <ada@customer.test>: Recipient address rejected: User unknown"


@dataclass(frozen=True)
class Answering:
    """An installation whose replies go to a scripted smarthost when the test says so."""

    served: ServedInstallation
    smarthost: ScriptedSmarthost
    submissions: ManualSubmissions

    async def hand_over(self) -> None:
        """Submits the replies whose time to undo is over."""
        self.served.clock.advance(11)
        await self.submissions.submit_due()


@pytest_asyncio.fixture(loop_scope="session")
async def answering(tmp_path: Path) -> AsyncIterator[Answering]:
    async with ScriptedSmarthost() as smarthost, sqlite_store(tmp_path) as store:
        settings = served_settings() | {"outgoing.smarthost": smarthost.url}
        async with serve_api(store, settings) as served:
            await served.create_alias()
            await allow_sending(served)
            submissions = ManualSubmissions(served, smarthost)
            await submissions.outbox.start(smarthost.url)
            yield Answering(served, smarthost, submissions)


async def check(page: Page, name: str) -> None:
    await check_page(page, name, "light", "dark", "phone", folder=STATE_PICTURES)
    await page.set_viewport_size({"width": 1440, "height": 900})


async def test_conversation(answering: Answering, window: Window, tmp_path: Path) -> None:
    served = answering.served
    ticket_id = await served.accept_ticket(
        mails.plain(subject="Dark lamp", text="It is dark.", message_id="<1@c.test>")
    )
    canned = await served.services.canned_responses.create(served.actor, title="Greeting", body="Hello {name},")
    page = await sign_in(served, window, "agent")
    await page.goto(f"{served.root}/tickets/{ticket_id}")
    text = page.get_by_label("Reply", exact=True).and_(page.locator("textarea"))
    await page.keyboard.press("r")
    await expect(text).to_be_focused()
    await page.get_by_label("Saved text").select_option(canned.id)
    await page.get_by_role("button", name="Insert").click()
    await expect(text).to_have_value("Hello Ada Customer,")
    await expect(text).to_be_focused()
    await page.keyboard.type("\n\nis the plug in?")
    lamp = tmp_path / "lamp.txt"
    lamp.write_text("the manual")
    await page.get_by_label("Attach files").set_input_files(lamp)
    await page.get_by_label("Attach files").set_input_files(__file__)
    await page.get_by_role("checkbox", name=Path(__file__).name).click()
    await expect(page.get_by_role("checkbox", name="lamp.txt")).to_be_checked()
    await expect(page.get_by_label("Cc", exact=True)).to_be_hidden()
    await expect(page.get_by_text("Draft saved")).to_be_visible()
    await check(page, "reply-composer")
    await text.press("Control+Enter")
    undo = page.get_by_role("button", name="Undo")
    await expect(page.locator("#undo")).to_contain_text("Reply to ada@customer.test queued, sent in")
    await page.reload()
    await check(page, "reply-queued")

    await undo.click()
    await expect(page.get_by_text("Reply not sent. Its text is a draft again.")).to_be_visible()
    await expect(text).to_have_value("Hello Ada Customer,\n\nis the plug in?")
    await expect(page.get_by_role("checkbox", name="lamp.txt")).to_be_checked()
    await expect(page.locator(".mail")).to_have_count(1)
    await check(page, "reply-undone")
    await answering.hand_over()
    assert answering.smarthost.accepted == []
    await text.fill("Is the plug in?")
    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(undo).to_be_visible()
    await answering.hand_over()
    ours = page.locator(".mail.ours")
    await expect(ours).to_contain_text("Handed over")
    await expect(page.locator("#facts")).to_contain_text("Waiting")
    await expect(undo).to_have_count(0)
    (sent,) = answering.smarthost.accepted
    mail = message_from_bytes(sent.content)
    files = [part.get_filename() for part in mail.walk() if part.get_filename()]
    assert (mail["To"], files) == ("Ada Customer <ada@customer.test>", ["lamp.txt"])

    await served.accept_message(mails.reply_to(mail["Message-ID"], text="It is now, thank you!"))
    newest = page.locator(".timeline > .mail").first
    await expect(newest).to_contain_text("It is now, thank you!")
    await expect(page.locator("#facts")).to_contain_text("Open")
    await check(page, "reply-answered")
    assert len((await served.services.tickets.list(served.actor)).items) == 1


async def test_a_reply_that_fails_is_seen_and_sent_again(answering: Answering, chromium_browser: Browser) -> None:
    """Without JavaScript."""
    served = answering.served
    ticket_id = await served.accept_ticket(mails.plain(subject="Dark lamp"))
    answering.smarthost.answers["rcpt"] = UNKNOWN
    async with open_window(chromium_browser, javascript=False) as window:
        page = await sign_in(served, window, "agent")
        await page.goto(f"{served.root}/tickets/{ticket_id}")
        await page.get_by_role("link", name="Reply").click()
        await page.locator("#reply-form textarea").fill("Is the plug in?")
        await page.get_by_role("button", name="Send", exact=True).click()
        await answering.hand_over()
        await page.goto(f"{served.root}/tickets/{ticket_id}")
        band = page.locator("#reply-problem")
        await expect(band).to_contain_text(f"Your reply to ada@customer.test was not sent: {UNKNOWN}")
        await page.goto(f"{served.root}/activity")
        await expect(page.locator(".deliveries")).to_contain_text("Dark lamp")
        await page.goto(f"{served.root}/activity/outbox?state=failed")
        answering.smarthost.answers.clear()
        await page.get_by_role("button", name="Retry").click()
        await expect(page.get_by_text("Queued to be sent again.")).to_be_visible()
        await answering.hand_over()
        await page.goto(f"{served.root}/tickets/{ticket_id}")
        await expect(page.locator(".mail.ours")).to_contain_text("Handed over")
        await expect(band).to_have_count(0)
