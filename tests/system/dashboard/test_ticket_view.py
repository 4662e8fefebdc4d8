"""The page of a ticket in a browser: what is in view when it opens, drafts of notes, and new messages."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ViewportSize, expect

from tests.integration.dashboard.page_checks import check_page
from tests.support import mails
from tests.support.browser import Window, open_window
from tests.support.installation.dashboard import create_user
from tests.support.installation.http import PASSWORD, ServedInstallation, serve_api
from tests.support.stores import sqlite_store
from tests.support.waiting import poll_until
from tests.system.dashboard.test_browser import sign_in

pytestmark = pytest.mark.asyncio(loop_scope="session")

VIEWPORTS: tuple[ViewportSize, ...] = (
    {"width": 1920, "height": 1080},
    {"width": 1440, "height": 900},
    {"width": 390, "height": 844},
)
QUOTED = "\n\nOn Tue, 1 Jan 2030 at 12:00, Support <support@example.org> wrote:\n" + "> a line of before\n" * 40
SENTENCE = "The lamp is dark since Tuesday. "
NEWSLETTER = (
    '<table width="100%"><tr><td align="center" style="padding:24px"><table width="560" bgcolor="#112233"><tr><td>'
    '<img src="https://news.test/top.png" width="560" height="400" alt="Lamps of the month"></td></tr><tr>'
    '<td style="color:#ffffff;padding:20px"><h1>Does the new lamp fit?</h1>'
    '<p style="text-align:right">A question to you.</p></td></tr></table></td></tr></table>'
)
INVOICE = "<p>Please <b>check</b> this invoice:</p><table border=1><tr><td>Lamp</td><td>42.00</td></tr></table>"
MANY = [f"person{n}@customer.test" for n in range(60)]
LONG_SUBJECT = "Where is the lamp that I have ordered in the spring of last year " * 8


async def add_tickets(served: ServedInstallation) -> dict[str, str]:
    """Accepts the messages; returns the start of the newest question of each ticket by ticket id."""
    await served.create_alias()
    questions = {}
    for question, content in (
        ("ランプが点きません", mails.plain(subject="ランプについて", text="ランプが点きません。\n" * 3)),
        ("المصباح لا يعمل", mails.plain(subject="سؤال", text="المصباح لا يعمل منذ يوم الثلاثاء.\n")),
        ("Please check", mails.html(subject="HTML only", markup=INVOICE)),
        ("A question to you.", mails.html(subject="Newsletter", markup=NEWSLETTER)),
        ("lamp.png", mails.with_attachment(subject="Only a picture", text="", name="lamp.png")),
        ("The lamp is dark", mails.plain(subject="One long mail", text=SENTENCE * 2000)),
        ("The lamp is dark", mails.plain(subject=LONG_SUBJECT, text=SENTENCE)),
        ("The lamp is dark", mails.plain(text=SENTENCE, to=", ".join((*MANY, mails.SUPPORT)))),
        ("I could not deliver", mails.bounce()),
    ):
        questions[await served.accept_ticket(content)] = question
    first = mails.plain(subject="Twelve mails", text=SENTENCE * 40, message_id="<0@t.test>")
    thread = await served.accept_ticket(first)
    for n in range(1, 12):
        reply = mails.reply_to(f"<{n - 1}@t.test>", text=f"Question {n}?{QUOTED}", message_id=f"<{n}@t.test>")
        await served.accept_message(reply)
    await served.accept_message(mails.out_of_office("<11@t.test>"))
    for n in range(4):
        await served.services.tickets.notes.add(served.actor, thread, f"Called back, try {n}.\n" * 12)
        await served.services.tickets.set_status(served.actor, thread, ("waiting", "open")[n % 2])
    questions[thread] = "Question 11?"
    await served.core.contents.parse_missing(60)
    return questions


# The rectangles of the start of the newest question, of the end of the head, and of what covers the bottom.
MEASURE = """async (question) => {
  const item = document.querySelector(".timeline > .mail:not(:has(> .folded))"), frame = item.querySelector("iframe");
  const loaded = () => frame.contentDocument?.readyState === "complete" && frame.contentDocument.URL !== "about:blank";
  for (let n = 0; n < 300 && (n < 2 || (frame && !loaded())); n++) await new Promise(requestAnimationFrame);
  const root = frame ? frame.contentDocument.body : item.querySelector(".text, .files") ?? item;
  const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (texts.nextNode() && !texts.currentNode.data.includes(question));
  const range = root.ownerDocument.createRange();
  const start = texts.currentNode.data.indexOf(question);
  range.setStart(texts.currentNode, start);
  range.setEnd(texts.currentNode, start + question.length);
  const text = range.getBoundingClientRect(), offset = frame ? frame.getBoundingClientRect().top : 0;
  const actions = [...document.querySelectorAll(".ticket-actions :is(button, .button, summary)")];
  const composer = document.querySelector(".composer"), rail = document.querySelector(".rail").getBoundingClientRect();
  const isSticky = getComputedStyle(composer).position === "sticky";
  const bars = actions.filter((one) => one.checkVisibility()).map((one) => one.getBoundingClientRect());
  return {
    top: text.top + offset,
    bottom: text.bottom + offset,
    end: isSticky ? composer.getBoundingClientRect().top : rail.top || innerHeight,
    head: document.querySelector(".ticket-actions").getBoundingClientRect().bottom,
    beyond: Math.max(0, text.right - (frame ?? document.documentElement).clientWidth),
    unfit: frame ? Math.max(0, frame.contentDocument.scrollingElement.scrollHeight - frame.clientHeight) : 0,
    empty: frame ? frame.clientHeight - frame.contentDocument.body.getBoundingClientRect().bottom : 0,
    scrolled: scrollY,
    excess: document.documentElement.scrollWidth - innerWidth,
    hasPane: document.querySelector(".pane").checkVisibility(),
    current: document.querySelectorAll(".pane [aria-current]").length,
    controls: [...new Set(bars.map((bar) => `${Math.round(bar.top)} ${bar.height}`))].length,
    height: bars[0].height,
  };
}"""


# How many rows of the height of the first ones fit below the top of the list, and the heights of all rows.
ROWS = """() => {
  const rows = [...document.querySelectorAll(".tickets > li")].map((row) => row.getBoundingClientRect());
  const fit = Math.floor((innerHeight - rows[0].top) / rows[0].height);
  return { fit, heights: [...new Set(rows.map((row) => row.height))] };
}"""


@dataclass(frozen=True)
class ShownQuestions:
    """An installation, the token of an agent's session, and the start of the newest question by ticket id."""

    served: ServedInstallation
    token: str
    by_ticket: dict[str, str]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def questions(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ShownQuestions]:
    async with sqlite_store(tmp_path_factory.mktemp("view")) as store, serve_api(store) as served:
        found = await add_tickets(served)
        address, _ = await create_user(served, "agent")
        new = await served.services.sessions.sign_in(address, PASSWORD, address="127.0.0.1")
        yield ShownQuestions(served, new.token, found)


async def test_question_is_in_view(questions: ShownQuestions, window: Window) -> None:
    root = questions.served.root
    await window.sign_in(root, questions.token)
    page = await window.open(f"{root}/account")
    for viewport in VIEWPORTS:
        await page.set_viewport_size(viewport)
        for ticket, question in questions.by_ticket.items():
            await page.goto(f"{root}/tickets/{ticket}")
            seen = await page.evaluate(MEASURE, question)
            case = (question, viewport, seen)
            assert seen["scrolled"] == 0, case
            assert seen["head"] <= seen["top"] < seen["bottom"] <= seen["end"], case
            assert (seen["excess"], seen["beyond"], seen["unfit"]) == (0, 0, 0), case
            assert seen["empty"] < 40, case
            assert (seen["hasPane"], seen["current"]) == (viewport["width"] >= 1200, 1), case
            assert seen["controls"] == 1, case
            if viewport["width"] == 390:
                assert seen["head"] <= viewport["height"] / 4, case
                assert seen["height"] == 44, case


async def _has_draft(served: ServedInstallation, ticket: str, text: str) -> bool:
    (row,) = await served.execute("SELECT text FROM drafts WHERE ticket_id = :id", id=ticket)
    return bool(row["text"] == text)


async def test_draft_and_new_message(site: ServedInstallation, window: Window, chromium_browser: Browser) -> None:
    """A draft follows the user to another browser, and a new message does not disturb it."""
    await site.create_alias()
    ticket = await site.accept_ticket(mails.plain(subject="Dark lamp", message_id="<0@t.test>"))
    page = await sign_in(site, window, "agent")
    await page.goto(f"{site.root}/tickets/{ticket}")
    note = page.get_by_label("Internal note")
    await page.keyboard.press("n")
    await page.keyboard.type("Called **back**")
    await expect(page.get_by_text("Draft saved")).to_be_visible()
    site.clock.advance(minutes=1)
    await site.accept_message(mails.reply_to("<0@t.test>", text="It is still dark."))
    await expect(page.locator(".mail").first).to_contain_text("It is still dark.")
    await expect(page.locator(".mail", has_text="It is still dark.").locator(".is-new")).to_have_count(1)
    await expect(note).to_have_value("Called **back**")
    await expect(note).to_be_focused()
    async with open_window(chromium_browser, javascript=False) as second:
        await second.sign_in(site.root, (await window.context.cookies())[0]["value"])
        other = await second.open(f"{site.root}/tickets/{ticket}")
        await expect(other.get_by_label("Internal note")).to_have_value("Called **back**")
        await other.get_by_label("Internal note").fill("Called them back")
        await other.get_by_role("button", name="Save draft").click()
        await expect(other.get_by_text("Draft saved.", exact=True)).to_be_visible()
    await page.keyboard.type(" twice")
    await page.goto(f"{site.root}/account")  # leaving the page saves the draft
    await poll_until(lambda: _has_draft(site, ticket, "Called **back** twice"), "the draft")
    await page.goto(f"{site.root}/tickets/{ticket}")
    await expect(note).to_have_value("Called **back** twice")
    await note.press("Control+Enter")
    await expect(page.locator(".internal-note strong", has_text="back")).to_be_visible()
    await expect(note).to_have_value("")
    await page.reload()
    await expect(note).to_have_value("")
    await expect(page.get_by_role("button", name="Set priority")).to_be_hidden()
    await page.get_by_label("Priority").select_option("Urgent")
    await expect(page.get_by_text("Priority changed.")).to_be_visible()
    await page.get_by_label("Priority").focus()
    for key in ("ArrowDown", "ArrowDown", "Tab"):  # a list that is closed changes with each key
        await page.keyboard.press(key)
    await expect(page.locator(".state")).not_to_contain_text("priority")
    await expect(page.locator(".timeline")).to_contain_text("2 changes, ")
    await page.get_by_role("link", name="Edit note").click()
    await expect(note).to_have_value("Called **back** twice")
    await check_page(page, "ticket-note-edited", "light", "dark", "phone", folder="")


async def test_fourteen_rows_are_in_view(questions: ShownQuestions, window: Window) -> None:
    root = questions.served.root
    await window.sign_in(root, questions.token)
    page = await window.open(f"{root}/tickets/unassigned")
    for density, height in (("compact", 44), ("comfortable", 56)):
        await window.context.add_cookies([{"name": "density", "value": density, "url": root}])
        for width in (1440, 1920):
            await page.set_viewport_size({"width": width, "height": 900})
            await page.goto(f"{root}/tickets/open")
            seen = await page.evaluate(ROWS)
            assert seen["heights"] == [height], (density, width)
            assert seen["fit"] >= 14, (density, width)
