"""Fixtures of the dashboard's tests: the API's `desk` and `sqlite_desk`, and a real browser with a desk to look at.

Playwright's objects belong to one event loop, and a browser is started once: tests that take `window` run on the loop
of the session (`pytestmark = pytest.mark.asyncio(loop_scope="session")`) and take `shop` for their desk.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.api.conftest import desk, sqlite_desk
from tests.api.desk import PASSWORD, Desk, served
from tests.dashboard.desk import person
from tests.dashboard.visits import prepare
from tests.support.browser import Window, chromium, chromium_path, window_of
from tests.support.stores import opened_sqlite

__all__ = ["desk", "sqlite_desk"]


@dataclass(frozen=True)
class Furnished:
    """A desk with something to see on every page (`visits.prepare`), and the session of an admin. To be read alone."""

    desk: Desk
    names: dict[str, str]
    token: str


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chrome() -> AsyncIterator[Browser]:
    """One browser for each worker, started when the first test asks."""
    async with chromium(chromium_path()) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def window(chrome: Browser) -> AsyncIterator[Window]:
    """A window of this test's own: whatever it does that a page of ours must not do fails the test."""
    async with window_of(chrome) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def shop(tmp_path: Path) -> AsyncIterator[Desk]:
    """An API and dashboard on SQLite, on the loop of the browser."""
    async with opened_sqlite(tmp_path) as store, served(store) as found:
        yield found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def furnished(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Furnished]:
    """One for each worker: making it takes longer than looking at a page."""
    async with opened_sqlite(tmp_path_factory.mktemp("furnished")) as store, served(store) as desk:
        names = await prepare(desk)
        address, _ = await person(desk, "admin", "ada@people.test")
        new = await desk.services.sessions.login(address, PASSWORD, address="127.0.0.1")
        yield Furnished(desk, names, new.token)
