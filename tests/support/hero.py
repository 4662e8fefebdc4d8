"""Makes the picture of the README from the demo: a ticket next to the list, and its message in the channel.

`make pictures` writes it to build/pictures: python -m tests.support.hero FILE
"""

import asyncio
import base64
import re
import sys
from pathlib import Path

from playwright.async_api import Browser, Locator, Page, ViewportSize, async_playwright

from tests.support.browser import chromium_path

WINDOW: ViewportSize = {"width": 1440, "height": 900}
PANEL: ViewportSize = {"width": 500, "height": 900}
HEIGHT = 720  # of the windows in the picture, in pixels
TICKET = "Glass shade arrived cracked"
CHANNEL = "support"
START_SECONDS = 60

_STYLE = """
body { margin: 0; padding: 28px; display: flex; gap: 22px; width: max-content; font: 600 17px system-ui, sans-serif;
  background: linear-gradient(135deg, #dfe8fb, #eef1f6); color: #1b1f27 }
figure { margin: 0 } figcaption { padding: 0 4px 10px }
img { display: block; border-radius: 12px; box-shadow: 0 6px 24px #1b1f2733 }
"""


async def make_hero(target: Path) -> None:
    demo = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "emailrouter", "demo", stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(START_SECONDS):
            link, channels = await _read_links(demo)
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium_path(), args=["--no-sandbox"])
            await _compose(browser, await _take_pictures(browser, link, channels), target)
            await browser.close()
    finally:
        demo.terminate()
        await demo.wait()


async def _read_links(demo: asyncio.subprocess.Process) -> tuple[str, str]:
    assert demo.stdout is not None
    text = ""
    async for line in demo.stdout:
        text += line.decode()
        found = re.search(r"Dashboard +(\S+)\n +Slack +(\S+)\n", text)
        if found:
            return found[1], found[2]
    raise RuntimeError(f"the demo ended: {text}")


async def _take_pictures(browser: Browser, link: str, channels: str) -> list[tuple[str, bytes]]:
    context = await browser.new_context(viewport=WINDOW, device_scale_factor=2, reduced_motion="reduce")
    page = await context.new_page()
    await page.goto(link)
    await page.goto(f"{page.url.partition('/tickets')[0]}/tickets")
    await page.get_by_role("link", name=TICKET).click()
    await page.wait_for_load_state()
    pictures = [("Every mail a ticket", await page.screenshot())]
    await page.set_viewport_size(PANEL)
    await page.goto(f"{channels}channels/{CHANNEL}")
    pictures.append(
        ("in the channel of its address", await _picture(page, page.locator("article").filter(has_text=TICKET)))
    )
    return pictures


async def _picture(page: Page, top: Locator) -> bytes:
    """Returns a picture of the page that begins at an element."""
    await top.first.evaluate("element => window.scrollTo(0, element.getBoundingClientRect().top + scrollY - 12)")
    return await page.screenshot()


async def _compose(browser: Browser, pictures: list[tuple[str, bytes]], target: Path) -> None:
    figures = "".join(
        f'<figure><figcaption>{caption}</figcaption><img height="{HEIGHT}" '
        f'src="data:image/png;base64,{base64.b64encode(picture).decode()}"></figure>'
        for caption, picture in pictures
    )
    page = await browser.new_page(viewport={"width": 1800, "height": 800})
    await page.set_content(f"<style>{_STYLE}</style>{figures}")
    await page.locator("body").screenshot(path=target)


if __name__ == "__main__":
    asyncio.run(make_hero(Path(sys.argv[1])))
