"""Fixtures of the dashboard tests, some with a real browser.

Playwright's objects belong to one event loop, so tests that use `window` run on the session's loop (`loop_scope`).
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
from tests.support.installation.http import PASSWORD, ServedInstallation, serve_api
from tests.support.stores import sqlite_store

__all__ = ["served", "sqlite_served"]


@dataclass(frozen=True)
class PopulatedInstallation:
    """An installation with content for every page, and the token of an admin's session. Tests only read it."""

    served: ServedInstallation
    names: dict[str, str]
    token: str


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium_browser() -> AsyncIterator[Browser]:
    async with chromium(chromium_path()) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def window(chromium_browser: Browser) -> AsyncIterator[Window]:
    async with open_window(chromium_browser) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path) -> AsyncIterator[ServedInstallation]:
    """API and dashboard on SQLite, on the browser's event loop."""
    async with sqlite_store(tmp_path) as store, serve_api(store) as found:
        yield found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def populated(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PopulatedInstallation]:
    """One installation per test worker."""
    async with sqlite_store(tmp_path_factory.mktemp("populated")) as store, serve_api(store) as served:
        names = await populate(served)
        address, _ = await create_user(served, "admin", "ada@people.test")
        new = await served.services.sessions.sign_in(address, PASSWORD, address="127.0.0.1")
        yield PopulatedInstallation(served, names, new.token)
