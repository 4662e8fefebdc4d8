"""Every page in a real browser: nothing that axe finds, light enough, whole on a phone; by construction."""

import pytest

from tests.dashboard.conftest import Furnished
from tests.dashboard.sight import PAGE_PICTURES, sees
from tests.dashboard.visits import OPENED, VISITS
from tests.support.browser import Window

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_every_page_is_visited() -> None:
    assert set(VISITS) == set(OPENED)


@pytest.mark.parametrize("path", sorted(VISITS))
async def test_a_page(furnished: Furnished, window: Window, path: str) -> None:
    root = furnished.desk.root
    if OPENED[path].role is not None:
        await window.sign_in(root, furnished.token)
    page = await window.open(root + VISITS[path].format_map(furnished.names))
    name = path.strip("/").replace("/", "-").replace("{id}", "one") or "home"
    await sees(page, name, "light", "dark", "phone", folder=PAGE_PICTURES)
