"""The system's Chromium, driven by Playwright.

Unexpected errors of a page, and its requests to other hosts, fail the test. Without Chromium, tests are skipped; with
`CI=true` they fail.
"""

import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, async_playwright

Scheme = Literal["light", "dark"]
WIDE: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 360, "height": 740}
# In order of preference.
_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def chromium_path() -> str:
    """Returns the path of the system's Chromium. Without one, skips the test, or fails it if `CI=true`."""
    for name in _NAMES:
        found = shutil.which(name)
        if found:
            return found
    if os.environ.get("CI") == "true":
        pytest.fail("no Chromium: .ci/run installs it")
    pytest.skip("no Chromium on this machine (apt-get install chromium-headless-shell)")


@asynccontextmanager
async def chromium(path: str) -> AsyncIterator[Browser]:
    """Runs a browser that is bound to the current event loop. Tests that use the browser must run in that loop."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield browser
        await browser.close()


@dataclass
class Window:
    """A browser context with its own cookies.

    `errors` contains console errors, uncaught exceptions and requests to hosts that are not in `hosts`.
    """

    context: BrowserContext
    errors: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    expected_errors: list[str] = field(default_factory=list)

    async def open(self, url: str) -> Page:
        self.hosts.add(urlsplit(url).netloc)
        page = await self.context.new_page()
        await page.goto(url)
        return page

    async def sign_in(self, root: str, token: str) -> None:
        self.hosts.add(urlsplit(root).netloc)
        await self.context.add_cookies([{"name": "er_session", "value": token, "url": root, "httpOnly": True}])

    def expect_error(self, part: str) -> None:
        """Allows errors that contain `part`.

        For example, the browser logs an error for a form that the server rejects.
        """
        self.expected_errors.append(part)

    def unexpected_errors(self) -> list[str]:
        return [fault for fault in self.errors if not any(part in fault for part in self.expected_errors)]


@asynccontextmanager
async def open_window(browser: Browser, *, javascript: bool = True) -> AsyncIterator[Window]:
    """Opens a window. On exit, raises AssertionError if its pages caused unexpected errors."""
    context = await browser.new_context(viewport=WIDE, java_script_enabled=javascript, reduced_motion="reduce")
    try:
        context.set_default_timeout(10_000)
        window = Window(context)
        context.on("console", lambda said: window.errors.append(said.text) if said.type == "error" else None)
        context.on("weberror", lambda error: window.errors.append(str(error.error)))

        def asked(url: str) -> None:
            parts = urlsplit(url)
            if parts.scheme in ("http", "https") and parts.netloc not in window.hosts:
                window.errors.append(f"a request to another host: {url}")

        context.on("request", lambda request: asked(request.url))
        yield window
        if window.unexpected_errors():
            raise AssertionError("browser errors:\n" + "\n".join(window.unexpected_errors()))
    finally:
        await context.close()


async def emulate_device(page: Page, *, scheme: Scheme = "light", phone: bool = False) -> None:
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    await page.set_viewport_size(PHONE if phone else WIDE)


async def find_axe_violations(page: Page, *, only_colors: bool = False) -> list[str]:
    """Returns violations of axe-core's default rules, or only of the one for contrast, except in frames.

    The Content-Security-Policy does not block the script, because the debugger protocol injects it.
    """
    if not await page.evaluate("() => 'axe' in window"):
        source = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
        script = f"{source}\n window.axe = window.axe || axe;"
        await page.add_init_script(script)  # for the next documents of this tab, which is faster than `evaluate`
        await page.evaluate(f"() => {{ {script} }}")
    # `preload` loads stylesheets again for a rule that is off by default.
    options: dict[str, Any] = {"iframes": False, "resultTypes": ["violations"], "preload": False}
    if only_colors:
        options["runOnly"] = ["color-contrast"]
    found: dict[str, Any] = await page.evaluate("(options) => axe.run(document, options)", options)
    return [
        f"{violation['id']}: {violation['help']}: "
        + "; ".join(f"{node['target']} {json.dumps(node['failureSummary'])[:200]}" for node in violation["nodes"][:4])
        for violation in found["violations"]
    ]
