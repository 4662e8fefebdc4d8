"""Every page in a real browser: nothing that axe finds, light enough, whole on a phone; by construction."""

import os
from pathlib import Path

import pytest

from tests.dashboard.conftest import Furnished
from tests.dashboard.visits import OPENED, VISITS
from tests.support.browser import Window, axe, look

pytestmark = pytest.mark.asyncio(loop_scope="session")
MOST_OCTETS = 100_000
# Set to a folder, every page's picture is put there: `docs/images` is made by it.
PICTURES = os.environ.get("PAGE_PICTURES", "")


async def test_every_page_is_visited() -> None:
    assert set(VISITS) == set(OPENED)


@pytest.mark.parametrize("path", sorted(VISITS))
async def test_a_page(furnished: Furnished, window: Window, path: str) -> None:
    root = furnished.desk.root
    if OPENED[path].role is not None:
        await window.sign_in(root, furnished.token)
    page = await window.open(root + VISITS[path].format_map(furnished.names))
    assert await page.locator("h1").count() == 1
    assert len((await page.content()).encode()) < MOST_OCTETS
    for scheme, phone in (("light", False), ("dark", False), ("light", True)):
        await look(page, scheme=scheme, phone=phone)  # type: ignore[arg-type]  # one of the two words
        assert await axe(page) == [], (scheme, phone)
        wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{wide} px too wide ({scheme}, phone: {phone})"
        if PICTURES:
            name = path.strip("/").replace("/", "-").replace("{id}", "one") or "home"
            kind = "phone" if phone else scheme
            await page.screenshot(path=Path(PICTURES) / f"{name}-{kind}.png", full_page=True)
