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
    assert await page.evaluate(_SQUEEZED_CONTROLS) == [], f"{name} ({kind})"
