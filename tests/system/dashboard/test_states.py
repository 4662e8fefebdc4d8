"""Pages in rare states are accessible, fit a phone and keep their controls usable."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page

from tests.integration.dashboard.extremes import LONG, ExtremeIds, populate_extremes
from tests.integration.dashboard.page_checks import PAGE_PICTURES, STATE_PICTURES, check_layout, check_page
from tests.support.browser import Window
from tests.support.dns import DnsStandIn
from tests.support.installation.dashboard import create_user
from tests.support.installation.http import PASSWORD, ServedInstallation, serve_api, served_settings
from tests.support.stores import sqlite_store

pytestmark = pytest.mark.asyncio(loop_scope="session")

EMPTY = (
    "/set-up",
    "/tickets",
    "/tickets?q=nothing",
    "/tickets/mine",
    "/tickets/unassigned",
    "/activity",
    "/activity/deliveries?state=dead",
    "/activity/trace?q=nothing",
    "/activity/health",
    "/manage/domains",
    "/manage/aliases",
    "/manage/integrations",
    "/manage/allowed-senders",
    "/manage/blocked-senders",
    "/manage/keys",
    "/manage/tags",
    "/manage/templates",
    "/manage/canned-responses",
)
EXTREME = (
    "/",
    "/account",
    "/set-up",
    "/tickets",
    "/tickets/{long}",
    "/tickets/{long}/tags",
    "/tickets/{hebrew}/tags",
    "/tickets/{hebrew}",
    "/tickets/{talk}",
    "/tickets/{talk}?before={place}",
    "/tickets/{files}",
    "/activity",
    "/activity/deliveries?state=dead",
    "/activity/deliveries?state=pending",
    "/activity/deliveries/{dead}",
    "/activity/deliveries/{waiting}",
    "/activity/trace?q={talk}",
    "/activity/trace/{message}",
    "/activity/health",
    "/manage/domains",
    "/manage/domains/{domain}",
    "/manage/domains/{wrong}",
    "/manage/domains/{domain}/delete",
    "/manage/aliases",
    "/manage/aliases/{alias}",
    "/manage/integrations",
    "/manage/integrations/{integration}",
    "/manage/integrations/{integration}/delete",
    "/manage/users",
    "/manage/users/{person}",
    "/manage/users/{person}/delete",
    "/manage/keys",
    "/manage/keys/{key}/revoke",
    "/manage/blocked-senders",
    "/manage/tags",
    "/manage/tags/{tag}",
    "/manage/tags/{tag}/delete",
    "/manage/templates",
    "/manage/templates/{template}?ticket=99",
    "/manage/templates/{template}",
    "/manage/canned-responses/{canned}",
    "/manage/workspace",
    "/activity/audit",
)

_UNFOLD = "for (const folded of document.querySelectorAll('main details:not(.menu)')) folded.open = true"
PARTS = 2  # parts of each list of pages, which several workers can check concurrently


@dataclass(frozen=True)
class Place:
    """An installation, the session token of an admin, and the ids of its objects."""

    served: ServedInstallation
    token: str
    names: ExtremeIds


async def _place(served: ServedInstallation, names: ExtremeIds) -> Place:
    address, user_id = await create_user(served, "admin", "ada@people.test")
    new = await served.services.sessions.sign_in(address, PASSWORD, address="127.0.0.1")
    if names.ids:
        await served.services.users.change(served.actor, user_id, name=LONG[:200])
    return Place(served, new.token, names)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bare(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    async with sqlite_store(tmp_path_factory.mktemp("bare")) as store, serve_api(store) as served:
        yield await _place(served, ExtremeIds({}))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def crowded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    path = tmp_path_factory.mktemp("crowded")
    async with DnsStandIn() as dns, sqlite_store(path) as store, serve_api(store, served_settings(dns)) as served:
        yield await _place(served, await populate_extremes(served, dns))


async def _check(page: Page, name: str) -> None:
    await check_layout(page, name, "light", folder=STATE_PICTURES)
    await check_page(page, name, "phone", folder=STATE_PICTURES)


def _picture_name(kind: str, path: str) -> str:
    return kind + "".join(c if c.isalnum() else "-" for c in path)


async def _page(place: Place, window: Window) -> Page:
    """Opens the only tab of a test, because opening a tab takes time."""
    await window.sign_in(place.served.root, place.token)
    return await window.open(place.served.root + "/set-up")


async def test_empty_installation(bare: Place, window: Window) -> None:
    page = await _page(bare, window)
    for path in EMPTY:
        await page.goto(bare.served.root + path)
        await _check(page, _picture_name("empty", path))


@pytest.mark.parametrize("part", range(PARTS))
async def test_extreme_content(crowded: Place, window: Window, part: int) -> None:
    page = await _page(crowded, window)
    for path in EXTREME[part::PARTS]:
        await page.goto(crowded.served.root + crowded.names.path(path))
        await page.evaluate(_UNFOLD)
        await _check(page, _picture_name("extreme", path))


FORMS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("/account", "Change password", {"Current password": "not it", "New password": "another one"}),
    ("/manage/domains?add=yes", "Add domain", {"Domain": "no domain"}),
    ("/manage/aliases?add=yes", "Add alias", {"Address": "a b"}),
    ("/manage/integrations?add=yes", "Add integration", {"Name": "x", "Webhook URL": "nonsense"}),
    ("/manage/integrations/{integration}", "Save name", {"Name": ""}),
    ("/manage/integrations/{integration}", "Send test message", {}),
    ("/manage/integrations/{integration}/delete", "Remove integration", {}),
    ("/manage/users?add=yes", "Add user", {"Email address": "nobody", "Initial password (optional)": "short"}),
    ("/manage/users/{person}", "Set password", {"New password": "x"}),
    ("/manage/users/{person}", "Create password link", {}),
    ("/manage/keys?add=yes", "Create key", {"Name": ""}),
    ("/manage/tags/{tag}", "Save", {"Name": " ", "Colour (optional)": "red"}),
    ("/manage/templates?add=yes", "Add template", {"Name": "x", "Text": "{x}"}),
    ("/tickets/{long}/tags", "Add tag", {"Name": " "}),
    ("/manage/integrations?add=discord", "Add integration", {"Name": "x", "Webhook URL": "nonsense"}),
    ("/manage/blocked-senders?add=yes", "Block sender", {"Senders": "a b"}),
    ("/manage/workspace", "Save changes", {"Name": ""}),
    ("/set-up", "Save and send test message", {"Webhook URL": "nonsense"}),
    ("/tickets/{talk}", "Add note", {"Internal note": " "}),
    ("/tickets?cursor=nonsense", "", {}),
    ("/tickets/nothing", "", {}),
    ("/no/such/page", "", {}),
)


@pytest.mark.parametrize("part", range(PARTS))
async def test_rejected_forms(crowded: Place, window: Window, part: int) -> None:
    window.expect_error("Failed to load resource")
    page = await _page(crowded, window)
    for path, button, filled in FORMS[part::PARTS]:
        await page.goto(crowded.served.root + crowded.names.path(path))
        await page.evaluate("for (const form of document.forms) form.noValidate = true")
        await page.evaluate(_UNFOLD)
        for label, text in filled.items():
            await page.get_by_label(label, exact=True).fill(text)
        if button:
            await page.get_by_role("button", name=button, exact=True).click()
            await page.get_by_role("alert").wait_for()
        await _check(page, _picture_name("refused", path + button))


async def test_pages_without_permission_or_session(crowded: Place, window: Window) -> None:
    served = crowded.served
    address, user_id = await create_user(served, "viewer")
    new = await served.services.sessions.sign_in(address, PASSWORD, address="127.0.0.1")
    await window.sign_in(served.root, new.token)
    window.expect_error("Failed to load resource")
    page = await window.open(served.root + "/activity/audit")
    await _check(page, "refused-role")
    page = await window.open(served.root + "/tickets/unassigned")
    await _check(page, "viewer-tickets")
    page = await window.open(served.root + crowded.names.path("/tickets/{talk}"))
    await _check(page, "viewer-ticket")
    await served.services.users.change(served.actor, user_id, disabled=True)
    await page.get_by_role("link", name="Inbox").click()
    await _check(page, "session-ended")
    await page.get_by_label("Email address").fill(address)
    await page.get_by_label("Password").fill("x")
    await page.get_by_role("button", name="Sign in").click()
    await _check(page, "wrong-password")


async def test_setup_in_progress(window: Window, tmp_path: Path) -> None:
    async with DnsStandIn() as dns, sqlite_store(tmp_path) as store, serve_api(store, served_settings(dns)) as served:
        place = await _place(served, ExtremeIds({}))
        view = await served.services.domains.create(served.actor, "example.org")
        dns.set("example.org", "MX", "10 mail.elsewhere.test.")
        await served.services.domains.verify(served.actor, view.domain.id)
        await window.sign_in(served.root, place.token)
        page = await window.open(served.root + "/set-up")
        await check_page(page, "set-up-begun", "light", "dark", "phone", folder=PAGE_PICTURES)
        await page.close()  # before the server stops and ends the event stream of the page
