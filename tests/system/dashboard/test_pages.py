"""Every page is accessible, small in bytes, and usable on a phone."""

import pytest

from tests.integration.dashboard.conftest import PopulatedInstallation
from tests.integration.dashboard.page_checks import PAGE_PICTURES, check_page
from tests.integration.dashboard.visits import OPENABLE_PAGES, VISITS
from tests.support.browser import Window

pytestmark = pytest.mark.asyncio(loop_scope="session")

PARTS = 3  # parts of the list of pages, which several workers can check concurrently


async def test_every_page_is_visited() -> None:
    assert set(VISITS) == set(OPENABLE_PAGES)


@pytest.mark.parametrize("part", range(PARTS))
async def test_pages(populated: PopulatedInstallation, window: Window, part: int) -> None:
    """One tab shows all pages of a part, because opening a tab takes time."""
    root = populated.served.root
    page = await window.open(root + "/sign-in")
    for path in sorted(VISITS)[part::PARTS]:
        await window.context.clear_cookies()
        if OPENABLE_PAGES[path].role is not None:
            await window.sign_in(root, populated.token)
        await page.goto(root + VISITS[path].format_map(populated.names))
        name = path.strip("/").replace("/", "-").replace("{id}", "one") or "home"
        await check_page(page, name, "light", "dark", "phone", folder=PAGE_PICTURES)
