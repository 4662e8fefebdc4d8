"""Checks of a page in a browser: size, layout and accessibility, optionally with a screenshot."""

import os
from pathlib import Path
from typing import Literal

from playwright.async_api import Page

from tests.support.browser import emulate_device, find_axe_violations

Kind = Literal["light", "dark", "phone"]
MAX_PAGE_BYTES = 100_000
# Folders for screenshots of every page and of every state; "" disables screenshots.
PAGE_PICTURES = os.environ.get("PAGE_PICTURES", "")
STATE_PICTURES = os.environ.get("STATE_PICTURES", "")
# Links and buttons narrower than 20 px, and buttons higher than 90 px.
_SQUEEZED_CONTROLS = """() => [...document.querySelectorAll("header a, main a, button, .button")]
  .filter((one) => one.checkVisibility() && one.textContent.trim())
  .filter((one) => one.getBoundingClientRect().width < 20 || (one.matches("button, .button") && one.offsetHeight > 90))
  .map((one) => one.outerHTML.slice(0, 100))"""
# Controls lower than 24 px (WCAG 2.5.8), except links within a text and controls with a label to click.
_SMALL_TARGETS = """() => [...document.querySelectorAll("a, button, summary, select, input, textarea")]
  .filter((one) => one.checkVisibility() && !one.matches(".hidden *, .skip, [type=checkbox], [type=radio]"))
  .filter((one) => getComputedStyle(one).display !== "inline" && one.offsetHeight < 24)
  .map((one) => one.outerHTML.slice(0, 100))"""
# Tags whose name is cut, except in lists of tickets.
_CUT_TAGS = """() => [...document.querySelectorAll("a.badge")]
  .filter((one) => !one.closest(".tickets") && one.checkVisibility() && one.scrollWidth > one.clientWidth)
  .map((one) => one.textContent)"""
# The largest distance in px between the subject of a ticket in a list and the line below it.
_ROW_GAP = """() => Math.max(0, ...[...document.querySelectorAll(".tickets li")]
  .map((one) => [".from", ".subject"].map((name) => one.querySelector(name).getBoundingClientRect()))
  .map(([below, subject]) => below.top - subject.bottom))"""
_OVERFLOW_WIDTH = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


async def check_page(page: Page, name: str, *kinds: Kind, folder: str) -> None:
    """Checks the size, accessibility and layout of a page. Saves screenshots in `folder` unless it is `""`."""
    assert await page.locator("h1").count() == 1, name
    assert len((await page.content()).encode()) < MAX_PAGE_BYTES, name
    for kind in kinds:
        await check_layout(page, name, kind, folder=folder)
        assert await find_axe_violations(page) == [], f"{name} ({kind})"


async def check_layout(page: Page, name: str, kind: Kind, *, folder: str) -> None:
    await emulate_device(page, scheme="dark" if kind == "dark" else "light", phone=kind == "phone")
    if folder:
        await page.screenshot(path=Path(folder) / f"{name}-{kind}.png", full_page=True)
    wide = await page.evaluate(_OVERFLOW_WIDTH)
    assert wide <= 0, f"{wide} px too wide: {name} ({kind})"
    for check in (_SQUEEZED_CONTROLS, _SMALL_TARGETS, _CUT_TAGS):
        found = await page.evaluate(check)
        assert found == [], f"{name} ({kind}) {found}"
    assert await page.evaluate(_ROW_GAP) < 10, f"{name} ({kind})"
