"""Live updates keep the focus and are throttled. Shortcuts and submissions take effect once."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import expect

from router.admin.tickets.notes import NoteService
from tests.support import mails
from tests.support.browser import Window
from tests.support.installation.http import ServedInstallation
from tests.system.dashboard.test_browser import sign_in

pytestmark = pytest.mark.asyncio(loop_scope="session")

# A browser moves the focus from a hidden element only at a repaint. All steps are in one script, so that no repaint
# occurs between them.
CLOSE_LIST_AND_PRESS_KEY = """() => {
  document.getElementById("keys").showModal();
  document.getElementById("keys-on").focus();
  document.getElementById("keys").close();
  document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: "j", bubbles: true }));
  return document.activeElement.textContent;
}"""


async def test_shortcuts_work_after_dialog_closes(site: ServedInstallation, window: Window) -> None:
    await site.create_alias()
    await site.accept_ticket(mails.plain(subject="First"))
    page = await sign_in(site, window, "agent")
    assert await page.evaluate(CLOSE_LIST_AND_PRESS_KEY) == "First"


async def test_held_key_acts_once(site: ServedInstallation, window: Window) -> None:
    await site.create_alias()
    ticket = await site.accept_ticket(mails.plain(subject="First"))
    await site.services.tickets.set_status(site.actor, ticket, "resolved")
    page = await sign_in(site, window, "agent")
    await page.goto(f"{site.root}/tickets/{ticket}")
    await page.keyboard.down("e")
    await expect(page.get_by_role("button", name="Resolve")).to_be_visible()
    for _ in range(3):  # a key that stays down sends repeated events, also to the next page
        await page.keyboard.down("e")
    await page.keyboard.up("e")
    await page.keyboard.press("n")
    await page.keyboard.type("It works.")
    await page.get_by_role("button", name="Add note").click()
    await expect(page.locator(".internal-note")).to_have_count(1)
    await expect(page.get_by_role("button", name="Resolve")).to_be_visible()


async def test_focus_stays_when_list_changes(site: ServedInstallation, window: Window) -> None:
    await site.create_alias()
    tickets = [await site.accept_ticket(mails.plain(subject=subject)) for subject in ("First", "Second", "Third")]
    page = await sign_in(site, window, "agent")
    for key in "jjj":
        await page.keyboard.press(key)
    first = page.get_by_role("link", name="First")
    await expect(first).to_be_focused()
    await site.services.tickets.claim(site.actor, tickets[2])
    await expect(page.get_by_role("link", name="Third")).to_have_count(0)
    await expect(first).to_be_focused()
    await site.accept_ticket(mails.plain(subject="Fourth"))
    await expect(page.get_by_role("link", name="Fourth")).to_be_visible()
    await expect(first).to_be_focused()
    await site.services.tickets.set_status(site.actor, tickets[0], "waiting")
    await expect(page.locator(".tickets li", has_text="First")).to_contain_text("Waiting")
    await expect(first).to_be_focused()
    await page.keyboard.press("k")
    await expect(page.get_by_role("link", name="Second")).to_be_focused()


async def test_focus_stays_on_ticket_actions(site: ServedInstallation, window: Window) -> None:
    await site.create_alias()
    ticket = await site.accept_ticket(mails.plain(subject="First"))
    page = await sign_in(site, window, "agent")
    await page.get_by_role("link", name="First").click()
    await page.get_by_role("button", name="Resolve").focus()
    await site.services.tickets.set_status(site.actor, ticket, "waiting")
    await expect(page.locator(".state")).to_contain_text("Waiting")
    await expect(page.get_by_role("button", name="Resolve")).to_be_focused()
    await page.get_by_role("button", name="Assign to me").focus()
    await site.services.tickets.claim(site.actor, ticket)
    await expect(page.get_by_role("button", name="Assign to me")).to_have_count(0)
    await expect(page.locator("#facts")).to_be_focused()


async def test_focused_field_defers_updates(site: ServedInstallation, window: Window) -> None:
    await site.create_alias()
    ticket = await site.accept_ticket(mails.plain(subject="First"))
    page = await sign_in(site, window, "admin")
    await page.get_by_role("link", name="First").click()
    chosen = page.get_by_label("Assignee")
    await chosen.focus()
    await site.services.tickets.claim(site.actor, ticket)
    await expect(page.locator(".timeline")).to_contain_text("took the ticket")
    shown = page.locator("#properties select[name=userId] [selected]")
    await expect(shown).to_have_text("Unassigned")
    await expect(chosen).to_be_focused()
    await page.get_by_role("button", name="Resolve").focus()
    await expect(shown).not_to_have_text("Unassigned")
    await expect(page.get_by_role("button", name="Resolve")).to_be_focused()


# Replaces EventSource and fetch, so that a test can set the responses, and count requests and streams.
STUB_SERVER = """
window.streams = [];
window.EventSource = class extends EventTarget {
  static CLOSED = 2;
  readyState = 0;
  constructor(url) { super(); window.stream = this; window.streams.push(url); }
  close() { this.readyState = 2; }
};
window.asked = 0;
window.answer = () => new Response("<p>");
window.fetch = async () => { window.asked++; return window.answer(); };
"""
DISPATCH_CHANGED = "() => { window.stream.dispatchEvent(new Event('changed')); }"


async def test_refreshes_are_throttled(site: ServedInstallation, window: Window) -> None:
    await site.create_alias()
    await window.context.add_init_script(STUB_SERVER)
    await window.context.clock.install()
    page = await sign_in(site, window, "agent")
    for _ in range(80):
        await page.evaluate(DISPATCH_CHANGED)
        await page.clock.run_for(250)
    assert 18 <= await page.evaluate("window.asked") <= 27, "five, and one a second for 20 s"
    await page.clock.run_for(30_000)
    asked = await page.evaluate("window.asked")
    await page.evaluate(DISPATCH_CHANGED)
    await page.clock.run_for(100)
    assert await page.evaluate("window.asked") == asked + 1, "a single change is shown immediately"


async def test_failed_refresh_is_retried(site: ServedInstallation, window: Window) -> None:
    await site.create_alias()
    await window.context.add_init_script(STUB_SERVER)
    await window.context.clock.install()
    page = await sign_in(site, window, "agent")
    for answer in ("new Response('', { status: 503 })", "new Response('', { status: 429 })", "Promise.reject('away')"):
        await page.evaluate(f"() => {{ window.asked = 0; window.answer = () => {answer}; }}")
        await page.evaluate(DISPATCH_CHANGED)
        await page.clock.run_for(60_000)
        assert 5 <= await page.evaluate("window.asked") <= 20, answer
    await page.evaluate("() => { Object.defineProperty(document, 'hidden', { value: true, configurable: true }); }")
    await page.evaluate("() => { window.asked = 0; }")
    await page.clock.run_for(60_000)
    assert await page.evaluate("window.asked") <= 1
    await page.evaluate("() => { delete document.hidden; }")
    await page.evaluate(DISPATCH_CHANGED)
    await page.evaluate("() => { window.answer = () => new Response('<p>'); }")
    await page.clock.run_for(10_000)
    await page.evaluate("() => { window.asked = 0; }")
    await page.clock.run_for(60_000)
    assert await page.evaluate("window.asked") == 0


async def test_reconnect_sends_newest_shown_id(site: ServedInstallation, window: Window) -> None:
    await site.create_alias()
    await window.context.add_init_script(STUB_SERVER)
    await window.context.clock.install()
    page = await sign_in(site, window, "agent")
    fresh = '<div id="list" data-live="0123" data-follow="yes"></div>'
    await page.evaluate(f"() => {{ window.answer = () => new Response('{fresh}'); }}")
    await page.evaluate(DISPATCH_CHANGED)
    await page.clock.run_for(1000)
    for state, pause in ((0, 2_000), (2, 30_000)):
        opened = await page.evaluate("window.streams.length")
        await page.evaluate(f"() => {{ stream.readyState = {state}; stream.dispatchEvent(new Event('error')); }}")
        await page.clock.run_for(pause - 1000)
        assert await page.evaluate("window.streams.length") == opened
        await page.clock.run_for(2000)
        assert await page.evaluate("window.streams.length") == opened + 1
        assert await page.evaluate("window.streams.at(-1)") == "/live?seen=0123&trouble=0-0-0-0-0-0-0"


async def test_relative_times_are_updated(site: ServedInstallation, window: Window) -> None:
    await site.create_alias()
    await site.accept_ticket(mails.plain(subject="First"))
    await window.context.clock.install()
    page = await sign_in(site, window, "agent")
    when = page.locator(".tickets .when")
    await expect(when).to_have_text("now")
    for minutes, words in ((1, "1m"), (90, "1h"), (60 * 72, "3d")):
        await page.clock.fast_forward(minutes * 60_000)
        await page.clock.run_for(30_000)
        await expect(when).to_have_text(words)


async def test_copy_button_label_is_restored(site: ServedInstallation, window: Window) -> None:
    domain = await site.create_domain()
    await window.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = await sign_in(site, window, "agent")
    await page.goto(f"{site.root}/manage/domains/{domain}")
    button = page.locator("[data-copies]").first
    await button.click()
    await expect(button).to_have_text("Copied")
    await button.click()
    await expect(button).to_have_text("Copy")


# Playwright would wait for the first response before the second click.
CLICK_TWICE = """() => { setTimeout(async () => {
  const button = document.querySelector("#note-form button");
  button.click();
  for (let n = 0; n < 20; n++) await fetch("/healthz");
  button.click();
  await fetch("/healthz?twice");
}); }"""


async def test_double_click_submits_once(
    site: ServedInstallation, window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, go, note = asyncio.Event(), asyncio.Event(), NoteService.add

    async def slowly(*given: Any) -> Any:
        asked.set()
        await go.wait()
        return await note(*given)

    monkeypatch.setattr(NoteService, "add", slowly)
    await site.create_alias()
    ticket = await site.accept_ticket(mails.plain(subject="First"))
    page = await sign_in(site, window, "agent")
    await page.get_by_role("link", name="First").click()
    await page.get_by_label("Internal note").fill("Called back.")
    async with page.expect_request("**/healthz?twice"):
        await page.evaluate(CLICK_TWICE)
    await asked.wait()
    go.set()
    await expect(page.get_by_text("Note added.")).to_be_visible()
    await page.reload()
    events = (await site.services.tickets.get(site.actor, ticket)).events
    assert [event.type for event in events].count("ticket.note_added") == 1
    await page.get_by_label("Internal note").fill("Called again.")
    await page.get_by_role("button", name="Add note").click()
    await expect(page.locator(".internal-note")).to_have_count(2)
    await page.go_back()
    await page.get_by_label("Internal note").fill("A third.")
    await page.get_by_role("button", name="Add note").click()
    await expect(page.locator(".internal-note")).to_have_count(3)
