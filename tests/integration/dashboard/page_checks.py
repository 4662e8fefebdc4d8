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
# Controls lower than 24 px (WCAG 2.5.8), except links within a text or that cover a row, and controls with a label to
# click.
_SMALL_TARGETS = """() => [...document.querySelectorAll("a, button, summary, select, input, textarea")]
  .filter((one) => one.checkVisibility() && !one.matches(".hidden *, .skip, [type=checkbox], [type=radio]"))
  .filter((one) => getComputedStyle(one).display !== "inline" && one.offsetHeight < 24)
  .filter((one) => getComputedStyle(one, "::after").position !== "absolute")
  .map((one) => one.outerHTML.slice(0, 100))"""
# Tags whose name is cut, except in lists of tickets.
_CUT_TAGS = """() => [...document.querySelectorAll("a.badge")]
  .filter((one) => !one.closest(".tickets") && one.checkVisibility() && one.scrollWidth > one.clientWidth)
  .map((one) => one.textContent)"""
# Adjacent controls on one line that differ in height or are not aligned.
_UNEVEN_CONTROLS = """() => {
  const controls = [...document.querySelectorAll("button, .button, .tabs a, select, input, summary.button")]
    .filter((one) => one.checkVisibility() && !one.matches(".hidden *, .skip, [type=checkbox], [type=radio]"))
    .map((one) => ({ name: one.outerHTML.slice(0, 80), box: one.getBoundingClientRect(), nav: one.closest("nav") }));
  const pairs = controls.flatMap((one, n) => controls.slice(n + 1).map((other) => [one, other]));
  return pairs.filter(([{ nav, box: one }, { nav: otherNav, box: other }]) => {
    const shared = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
    const gap = Math.max(one.left, other.left) - Math.min(one.right, other.right);
    const difference = Math.max(Math.abs(one.top - other.top), Math.abs(one.bottom - other.bottom));
    return nav === otherNav && shared > 4 && gap >= -2 && gap < 40 && difference > 1;
  }).map((pair) => pair.map(({ name, box }) => `${name} ${box.top}-${box.bottom}`));
}"""
# Fields on one line of a form whose labels are not on one line.
_UNEVEN_LABELS = """() => [...document.querySelectorAll(".filters, .bar, .fields, .filter-fields")].flatMap((group) => {
  const labels = [...group.querySelectorAll(".field > :first-child")].filter((one) => one.checkVisibility())
    .map((one) => ({ text: one.textContent.trim(), box: one.getBoundingClientRect() }));
  const pairs = labels.flatMap((one, n) => labels.slice(n + 1).map((other) => [one, other]));
  return pairs.filter(([{ box: one }, { box: other }]) =>
    Math.min(one.bottom, other.bottom) > Math.max(one.top, other.top) && Math.abs(one.bottom - other.bottom) > 1)
    .map((pair) => pair.map(({ text, box }) => `${text} ${box.bottom}`));
})"""
# Rows of a list of tickets that are higher than their content needs.
_LOOSE_ROWS = """() => [...document.querySelectorAll(".tickets > li")].filter((one) => one.offsetHeight > 130)
  .map((one) => `${one.offsetHeight} px: ${one.outerHTML.slice(0, 80)}`)"""
_OVERFLOW_WIDTH = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


async def check_page(page: Page, name: str, *kinds: Kind, folder: str) -> None:
    """Checks the size, accessibility and layout of a page. Saves screenshots in `folder` unless it is `""`."""
    assert await page.locator("h1").count() == 1, name
    assert len((await page.content()).encode()) < MAX_PAGE_BYTES, name
    for kind in kinds:
        await check_layout(page, name, kind, folder=folder)
        # The other rules do not depend on colours.
        only_colors = kind == "dark" and "light" in kinds
        assert await find_axe_violations(page, only_colors=only_colors) == [], f"{name} ({kind})"


async def check_layout(page: Page, name: str, kind: Kind, *, folder: str) -> None:
    await emulate_device(page, scheme="dark" if kind == "dark" else "light", phone=kind == "phone")
    if folder:
        await page.screenshot(path=Path(folder) / f"{name}-{kind}.png", full_page=True)
    wide = await page.evaluate(_OVERFLOW_WIDTH)
    assert wide <= 0, f"{wide} px too wide: {name} ({kind})"
    for check in (_SQUEEZED_CONTROLS, _SMALL_TARGETS, _CUT_TAGS, _UNEVEN_CONTROLS, _UNEVEN_LABELS, _LOOSE_ROWS):
        found = await page.evaluate(check)
        assert found == [], f"{name} ({kind}) {found}"
