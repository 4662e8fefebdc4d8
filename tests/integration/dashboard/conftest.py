"""Fixtures of the dashboard's tests: `served` and `sqlite_served` of the API's tests, and a real browser.

Playwright's objects belong to one event loop, and a browser is started once: tests that take `window` run on the loop
of the session (`pytestmark = pytest.mark.asyncio(loop_scope="session")`) and take `site`.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.integration.dashboard.visits import populate
from tests.support.browser import Window, chromium, chromium_path, open_window
from tests.support.installation.dashboard import create_user
from tests.support.installation.fixtures import served, sqlite_served
from tests.support.installation.http import PASSWORD, ServedInstallation, serving
from tests.support.stores import opened_sqlite

__all__ = ["served", "sqlite_served"]


@dataclass(frozen=True)
class PopulatedInstallation:
    """Something to see on every page (`visits.prepare`), and the session of an admin. Tests only read it."""

    served: ServedInstallation
    names: dict[str, str]
    token: str


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium_browser() -> AsyncIterator[Browser]:
    """One browser for each worker, started when the first test asks."""
    async with chromium(chromium_path()) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def window(chromium_browser: Browser) -> AsyncIterator[Window]:
    """A window of this test's own: whatever it does that a page of ours must not do fails the test."""
    async with open_window(chromium_browser) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path) -> AsyncIterator[ServedInstallation]:
    """An API and dashboard on SQLite, on the loop of the browser."""
    async with opened_sqlite(tmp_path) as store, serving(store) as found:
        yield found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def populated(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PopulatedInstallation]:
    """One for each worker: making it takes longer than looking at a page."""
    async with opened_sqlite(tmp_path_factory.mktemp("populated")) as store, serving(store) as served:
        names = await populate(served)
        address, _ = await create_user(served, "admin", "ada@people.test")
        new = await served.services.sessions.sign_in(address, PASSWORD, address="127.0.0.1")
        yield PopulatedInstallation(served, names, new.token)
