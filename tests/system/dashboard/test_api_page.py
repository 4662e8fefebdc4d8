"""The API page in a browser: readable on every device, searchable, and usable without JavaScript."""

import pytest
from playwright.async_api import Browser, expect

from tests.integration.dashboard.conftest import PopulatedInstallation
from tests.integration.dashboard.page_checks import PAGE_PICTURES, Kind, check_layout
from tests.support.browser import Window, emulate_device, find_axe_violations, open_window

pytestmark = pytest.mark.asyncio(loop_scope="session")

KINDS: tuple[Kind, ...] = ("phone", "dark", "light")
# The page has the same kinds of elements for each call. axe checks two calls, to save time.
_KEEP_TWO_CALLS = """() => [...document.querySelectorAll("article")]
  .filter((one) => !["createIntegration", "getTicket"].includes(one.dataset.call)).forEach((one) => one.remove())"""


async def test_page_is_readable_and_searchable(populated: PopulatedInstallation, window: Window) -> None:
    await window.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = await window.open(f"{populated.served.root}/api/docs#claimTicket")
    for kind in KINDS:
        await check_layout(page, "api-docs", kind, folder=PAGE_PICTURES)
    await page.keyboard.press("/")
    await page.keyboard.type("already_claimed user")
    await expect(page.locator("#search-result")).to_have_text("1 call")
    await expect(page.locator("article:visible h3")).to_have_text("Claim a ticket")
    await expect(page.locator("nav [data-noun=domains]")).to_be_hidden()
    await page.get_by_role("button", name="Copy the request: claimTicket").click()
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("curl -X POST 'http")
    assert "/claim' \\\n  -H 'Authorization: Bearer er_YOUR_KEY'" in copied
    await page.keyboard.press("/")
    await page.keyboard.press("Escape")
    await expect(page.locator("#createDomain")).to_be_visible()
    await page.evaluate(_KEEP_TWO_CALLS)
    await page.evaluate("document.querySelectorAll('details').forEach((one) => one.open = true)")
    await check_layout(page, "api-docs-open", "phone", folder="")
    await emulate_device(page, scheme="dark")
    assert await find_axe_violations(page) == []


async def test_page_works_without_javascript(chromium_browser: Browser, populated: PopulatedInstallation) -> None:
    async with open_window(chromium_browser, javascript=False) as window:
        page = await window.open(f"{populated.served.root}/api/docs")
        await expect(page.get_by_role("searchbox")).to_be_hidden()
        await page.get_by_role("navigation", name="Calls").get_by_role("link", name="Get a ticket").click()
        call = page.locator("article", has=page.locator("#getTicket"))
        await expect(call).to_be_in_viewport()
        await call.get_by_text("Fields of messages").click()
        await expect(call.get_by_text("Sanitised HTML")).to_be_visible()
        await expect(call.get_by_role("button")).to_have_count(0)
